/* The machine as far as a benchmark must know it: cores to bind workers to, caches to flush, the
 * NUMA node next to a GPU. By hwloc.
 *
 * Nothing here is ever fatal. Where hwloc fails, or is asked on a machine that does not tell, the
 * figure is unknown, binding answers false, and the sweep goes on unbound. Every function takes a
 * NULL topology and then knows nothing. */
#ifndef BENCH_PLATFORM_TOPOLOGY_H
#define BENCH_PLATFORM_TOPOLOGY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_topology bench_topology; /* opaque */

/* 0 or an empty string: unknown. Cores and PUs are those this process may use (cgroup and CPU
 * affinity at the time of opening); the rest is the machine's. */
typedef struct bench_topology_facts {
  int cores;
  int pus; /* hardware threads */
  int packages;
  int numa_nodes;
  int64_t l1d_bytes; /* of one cache */
  int64_t l2_bytes;
  int64_t l3_bytes;
  int64_t llc_bytes; /* all caches of the last level together: what a flush has to exceed */
  char cpu_model[128];
} bench_topology_facts;

/* This machine. Takes some 20 ms, but where a parent has told it. NULL if hwloc fails. The caller
 * closes. */
bench_topology *bench_topology_open(void);
/* Looks once for all processes that this one will start; they see it as their own machine. */
void bench_topology_tell_children(void);
/* A machine described in hwloc's synthetic syntax ("pack:2 numa:1 core:16 pu:2") or by an XML file
 * of lstopo, for tests. Binding to it answers false. */
bench_topology *bench_topology_open_synthetic(const char *description);
bench_topology *bench_topology_open_xml(const char *path);
void bench_topology_close(bench_topology *topology);

bench_topology_facts bench_topology_get_facts(const bench_topology *topology);
/* A new reference: an object with the fields of bench_topology_facts, null where unknown. */
json_t *bench_topology_json(const bench_topology *topology);

/* Workers are counted onto PUs in this order: one PU of each allowed core, then the cores' second
 * PUs, and so on; from the start again after the last. bench_topology_prefer_numa puts the cores
 * of `node` (an OS index) first within each round; -1 restores the plain order. */
void bench_topology_prefer_numa(bench_topology *topology, int node);
/* The OS index of the PU of worker 0, 1, ...; -1: unknown. */
int bench_topology_worker_pu(const bench_topology *topology, int worker);
/* Binds the calling thread. False if it is not bound. */
bool bench_topology_bind_thread(const bench_topology *topology, int worker);

/* The NUMA node (OS index) next to the PCI device "0000:17:00.0"; -1: unknown, as in a machine of
 * several nodes that does not say where the device sits (virtual machines mostly do not). */
int bench_topology_numa_of_pci(const bench_topology *topology, const char *bus_id);

#ifdef __cplusplus
}
#endif
#endif
