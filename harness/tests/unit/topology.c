/* The order of workers, the facts and the place of a PCI device, on described machines; binding on
 * the one that runs the test. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platform/topology.h"

/* Two packages of two cores of two hardware threads (numbered 0-3, then 4-7, as Linux does), a GPU
 * (17:00.0) beside the second one, and a device (65:00.0) of which the machine does not say where
 * it sits. */
static const char two_packages[] = BENCH_SOURCE_DIR "/harness/tests/unit/topology.xml";

static void assert_workers(const bench_topology *topology, const int *pus, int count) {
  for (int worker = 0; worker < count; worker++) {
    assert_int_equal(bench_topology_worker_pu(topology, worker), pus[worker]);
  }
}

static void synthetic_facts(void **state) {
  (void)state;
  bench_topology *topology = bench_topology_open_synthetic("pack:2 numa:1 core:16 pu:2");
  bench_topology_facts facts = bench_topology_get_facts(topology);
  assert_int_equal(facts.packages, 2);
  assert_int_equal(facts.numa_nodes, 2);
  assert_int_equal(facts.cores, 32);
  assert_int_equal(facts.pus, 64);
  assert_int_equal(facts.l3_bytes, 0); /* not described: unknown */
  assert_string_equal(facts.cpu_model, "");
  /* One PU of each of the 32 cores, then their second PUs, then from the start. */
  for (int worker = 0; worker < 32; worker++) {
    assert_int_equal(bench_topology_worker_pu(topology, worker), 2 * worker);
    assert_int_equal(bench_topology_worker_pu(topology, 32 + worker), 2 * worker + 1);
    assert_int_equal(bench_topology_worker_pu(topology, 64 + worker), 2 * worker);
  }
  assert_false(bench_topology_bind_thread(topology, 0));
  bench_topology_close(topology);
}

static void recorded_facts(void **state) {
  (void)state;
  bench_topology *topology = bench_topology_open_xml(two_packages);
  bench_topology_facts facts = bench_topology_get_facts(topology);
  assert_int_equal(facts.packages, 2);
  assert_int_equal(facts.cores, 4);
  assert_int_equal(facts.pus, 8);
  assert_int_equal(facts.l1d_bytes, 48 << 10);
  assert_int_equal(facts.l2_bytes, 1 << 20);
  assert_int_equal(facts.l3_bytes, 32 << 20);
  assert_int_equal(facts.llc_bytes, 64 << 20);
  assert_string_equal(facts.cpu_model, "Example 8-Thread Processor");
  bench_topology_close(topology);
}

static void workers_near_a_node(void **state) {
  (void)state;
  bench_topology *topology = bench_topology_open_xml(two_packages);
  const int plain[] = {0, 1, 2, 3, 4, 5, 6, 7};
  const int near[] = {2, 3, 0, 1, 6, 7, 4, 5};
  assert_workers(topology, plain, 8);
  bench_topology_prefer_numa(topology, 1);
  assert_workers(topology, near, 8);
  bench_topology_prefer_numa(topology, -1);
  assert_workers(topology, plain, 8);
  bench_topology_prefer_numa(topology, 7); /* no such node: the plain order */
  assert_workers(topology, plain, 8);
  bench_topology_close(topology);
}

static void place_of_a_device(void **state) {
  (void)state;
  bench_topology *topology = bench_topology_open_xml(two_packages);
  assert_int_equal(bench_topology_numa_of_pci(topology, "0000:17:00.0"), 1);
  assert_int_equal(bench_topology_numa_of_pci(topology, "0000:65:00.0"), -1);
  assert_int_equal(bench_topology_numa_of_pci(topology, "0000:aa:00.0"), -1);
  assert_int_equal(bench_topology_numa_of_pci(topology, "no bus id"), -1);
  bench_topology_close(topology);
}

static void json_of_known_and_unknown(void **state) {
  (void)state;
  bench_topology *topology = bench_topology_open_xml(two_packages);
  json_t *object = bench_topology_json(topology);
  assert_int_equal(json_integer_value(json_object_get(object, "cores")), 4);
  assert_int_equal(json_integer_value(json_object_get(object, "llc_bytes")), 64 << 20);
  assert_string_equal(json_string_value(json_object_get(object, "cpu_model")),
                      "Example 8-Thread Processor");
  json_decref(object);
  bench_topology_close(topology);

  object = bench_topology_json(NULL);
  assert_true(json_is_null(json_object_get(object, "cores")));
  assert_true(json_is_null(json_object_get(object, "cpu_model")));
  json_decref(object);
}

/* hwloc refuses a description: nothing is known, and nothing breaks. */
static void failure_is_not_fatal(void **state) {
  (void)state;
  assert_null(bench_topology_open_synthetic("no such machine"));
  assert_null(bench_topology_open_xml("/nonexistent/topology.xml"));
  bench_topology_prefer_numa(NULL, 0);
  assert_int_equal(bench_topology_get_facts(NULL).cores, 0);
  assert_int_equal(bench_topology_worker_pu(NULL, 0), -1);
  assert_int_equal(bench_topology_numa_of_pci(NULL, "0000:17:00.0"), -1);
  assert_false(bench_topology_bind_thread(NULL, 0));
  bench_topology_close(NULL);
}

static void binds_this_thread(void **state) {
  (void)state;
  cpu_set_t before;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  bench_topology *topology = bench_topology_open();
  bench_topology_facts facts = bench_topology_get_facts(topology);
  assert_int_equal(facts.pus, CPU_COUNT(&before));
  assert_in_range(facts.cores, 1, facts.pus);
  for (int worker = 0; worker < facts.pus; worker++) {
    cpu_set_t now;
    assert_true(bench_topology_bind_thread(topology, worker));
    assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
    assert_int_equal(CPU_COUNT(&now), 1);
    assert_true(CPU_ISSET(bench_topology_worker_pu(topology, worker), &now));
  }

  /* A process that may use one PU only, as under taskset, is told of one. */
  bench_topology *narrow = bench_topology_open();
  assert_int_equal(bench_topology_get_facts(narrow).pus, 1);
  assert_int_equal(bench_topology_get_facts(narrow).cores, 1);
  bench_topology_close(narrow);
  /* What was opened before keeps the set of that time. */
  bench_topology_prefer_numa(topology, 0);
  assert_int_equal(bench_topology_get_facts(topology).pus, facts.pus);
  bench_topology_close(topology);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(synthetic_facts),           cmocka_unit_test(recorded_facts),
      cmocka_unit_test(workers_near_a_node),       cmocka_unit_test(place_of_a_device),
      cmocka_unit_test(json_of_known_and_unknown), cmocka_unit_test(failure_is_not_fatal),
      cmocka_unit_test(binds_this_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
