/* The machine by hwloc: see topology.h. */
#include "platform/topology.h"

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Names a file with the topology as XML, for the processes that this one starts. */
#define TOLD_VARIABLE "BENCH_TOPOLOGY"

struct bench_topology {
  hwloc_topology_t hwloc;
  bool this_machine;
  hwloc_bitmap_t allowed; /* PUs that this process could use when the topology was opened */
  bench_topology_facts facts;
  hwloc_obj_t *pu; /* [facts.pus], in the order of workers */
};

/* hwloc leaves out what the cgroup forbids, but not what a taskset around us does. */
static hwloc_bitmap_t allowed_pus(hwloc_topology_t hwloc, bool this_machine) {
  hwloc_bitmap_t allowed = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(hwloc));
  hwloc_bitmap_t bound = hwloc_bitmap_alloc();
  if (allowed != NULL && bound != NULL && this_machine &&
      hwloc_get_cpubind(hwloc, bound, HWLOC_CPUBIND_PROCESS) == 0 &&
      hwloc_bitmap_intersects(allowed, bound)) {
    hwloc_bitmap_and(allowed, allowed, bound);
  }
  hwloc_bitmap_free(bound);
  return allowed;
}

static bool on_node(hwloc_obj_t core, int node) {
  return node >= 0 && hwloc_bitmap_isset(core->nodeset, (unsigned)node);
}

/* The PU of `core` that is the `round`-th allowed one, or NULL. */
static hwloc_obj_t core_pu(hwloc_topology_t hwloc, hwloc_obj_t core, hwloc_const_bitmap_t allowed,
                           int round) {
  hwloc_obj_t pu = NULL;
  while ((pu = hwloc_get_next_obj_inside_cpuset_by_type(hwloc, core->cpuset, HWLOC_OBJ_PU, pu)) !=
         NULL) {
    if (hwloc_bitmap_isset(allowed, pu->os_index) && round-- == 0) {
      return pu;
    }
  }
  return NULL;
}

/* Rounds over the cores, each in two passes: the preferred node's cores, then the others. The
 * object type may be a PU where the machine does not tell its cores. */
static void order_pus(bench_topology *topology, int node) {
  int total = hwloc_bitmap_weight(topology->allowed);
  hwloc_obj_type_t unit =
      hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  int units = hwloc_get_nbobjs_by_type(topology->hwloc, unit);
  int count = 0;
  int cores = 0;
  for (int round = 0; count < total; round++) {
    int before = count;
    for (int pass = 0; pass < 2; pass++) {
      for (int i = 0; i < units; i++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(topology->hwloc, unit, (unsigned)i);
        if (on_node(core, node) != (pass == 0)) {
          continue;
        }
        hwloc_obj_t pu = core_pu(topology->hwloc, core, topology->allowed, round);
        if (pu != NULL && count < total) {
          topology->pu[count++] = pu;
        }
      }
    }
    if (round == 0) {
      cores = count;
    }
    if (count == before) {
      break;
    }
  }
  topology->facts.pus = count;
  topology->facts.cores = cores;
}

static int64_t cache_bytes(hwloc_topology_t hwloc, hwloc_obj_type_t type) {
  hwloc_obj_t cache = hwloc_get_obj_by_type(hwloc, type, 0);
  return cache != NULL ? (int64_t)cache->attr->cache.size : 0;
}

static int64_t last_level_bytes(hwloc_topology_t hwloc) {
  static const hwloc_obj_type_t levels[] = {HWLOC_OBJ_L5CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L3CACHE,
                                            HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L1CACHE};
  for (size_t level = 0; level < sizeof levels / sizeof levels[0]; level++) {
    int64_t bytes = 0;
    hwloc_obj_t cache = NULL;
    while ((cache = hwloc_get_next_obj_by_type(hwloc, levels[level], cache)) != NULL) {
      bytes += (int64_t)cache->attr->cache.size;
    }
    if (bytes > 0) {
      return bytes;
    }
  }
  return 0;
}

static void read_facts(bench_topology *topology) {
  hwloc_topology_t hwloc = topology->hwloc;
  bench_topology_facts *facts = &topology->facts;
  int packages = hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_PACKAGE);
  int nodes = hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_NUMANODE);
  facts->packages = packages > 0 ? packages : 0;
  facts->numa_nodes = nodes > 0 ? nodes : 0;
  facts->l1d_bytes = cache_bytes(hwloc, HWLOC_OBJ_L1CACHE);
  facts->l2_bytes = cache_bytes(hwloc, HWLOC_OBJ_L2CACHE);
  facts->l3_bytes = cache_bytes(hwloc, HWLOC_OBJ_L3CACHE);
  facts->llc_bytes = last_level_bytes(hwloc);
  hwloc_obj_t package = hwloc_get_obj_by_type(hwloc, HWLOC_OBJ_PACKAGE, 0);
  const char *model = NULL;
  if (package != NULL) {
    model = hwloc_obj_get_info_by_name(package, "CPUModel");
  }
  if (model == NULL) {
    model = hwloc_obj_get_info_by_name(hwloc_get_root_obj(hwloc), "CPUModel");
  }
  snprintf(facts->cpu_model, sizeof facts->cpu_model, "%s", model != NULL ? model : "");
}

typedef enum source { SOURCE_THIS_MACHINE, SOURCE_TOLD, SOURCE_SYNTHETIC, SOURCE_XML } source;

static bool load(hwloc_topology_t hwloc, source kind, const char *text) {
  /* PCI devices of the classes that matter (display and 3D controllers among them). */
  if (hwloc_topology_set_io_types_filter(hwloc, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) != 0) {
    return false;
  }
  if (kind == SOURCE_SYNTHETIC && hwloc_topology_set_synthetic(hwloc, text) != 0) {
    return false;
  }
  if ((kind == SOURCE_XML || kind == SOURCE_TOLD) && hwloc_topology_set_xml(hwloc, text) != 0) {
    return false;
  }
  if (kind == SOURCE_TOLD &&
      hwloc_topology_set_flags(hwloc, HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM) != 0) {
    return false;
  }
  return hwloc_topology_load(hwloc) == 0;
}

static bench_topology *open_source(source kind, const char *text) {
  bench_topology *topology = calloc(1, sizeof *topology);
  if (topology == NULL || hwloc_topology_init(&topology->hwloc) != 0) {
    free(topology);
    return NULL;
  }
  if (load(topology->hwloc, kind, text)) {
    topology->this_machine = hwloc_topology_is_thissystem(topology->hwloc) != 0;
    topology->allowed = allowed_pus(topology->hwloc, topology->this_machine);
    int pus = hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_PU);
    topology->pu = calloc(pus > 0 ? (size_t)pus : 1, sizeof(hwloc_obj_t));
  }
  if (topology->allowed == NULL || topology->pu == NULL) {
    bench_topology_close(topology);
    return NULL;
  }
  read_facts(topology);
  order_pus(topology, -1);
  return topology;
}

bench_topology *bench_topology_open(void) {
  const char *told = getenv(TOLD_VARIABLE);
  bench_topology *topology = told == NULL ? NULL : open_source(SOURCE_TOLD, told);
  return topology != NULL ? topology : open_source(SOURCE_THIS_MACHINE, NULL);
}

void bench_topology_tell_children(void) {
  static int fd = -1; /* open as long as this process lives */
  char path[64];
  bench_topology *topology = fd < 0 ? bench_topology_open() : NULL;
  if (topology == NULL) {
    return;
  }
  fd = memfd_create("topology", MFD_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
  if (fd >= 0 && hwloc_topology_export_xml(topology->hwloc, path, 0) == 0) {
    setenv(TOLD_VARIABLE, path, 1);
  }
  bench_topology_close(topology);
}

bench_topology *bench_topology_open_synthetic(const char *description) {
  return open_source(SOURCE_SYNTHETIC, description);
}

bench_topology *bench_topology_open_xml(const char *path) {
  return open_source(SOURCE_XML, path);
}

void bench_topology_close(bench_topology *topology) {
  if (topology != NULL) {
    hwloc_bitmap_free(topology->allowed);
    hwloc_topology_destroy(topology->hwloc);
    free(topology->pu);
    free(topology);
  }
}

bench_topology_facts bench_topology_get_facts(const bench_topology *topology) {
  return topology != NULL ? topology->facts : (bench_topology_facts){0};
}

static json_t *known(int64_t value) {
  return value > 0 ? json_integer(value) : json_null();
}

json_t *bench_topology_json(const bench_topology *topology) {
  bench_topology_facts facts = bench_topology_get_facts(topology);
  json_t *object = json_object();
  json_object_set_new(object, "cpu_model",
                      facts.cpu_model[0] != '\0' ? json_string(facts.cpu_model) : json_null());
  json_object_set_new(object, "cores", known(facts.cores));
  json_object_set_new(object, "pus", known(facts.pus));
  json_object_set_new(object, "packages", known(facts.packages));
  json_object_set_new(object, "numa_nodes", known(facts.numa_nodes));
  json_object_set_new(object, "l1d_bytes", known(facts.l1d_bytes));
  json_object_set_new(object, "l2_bytes", known(facts.l2_bytes));
  json_object_set_new(object, "l3_bytes", known(facts.l3_bytes));
  json_object_set_new(object, "llc_bytes", known(facts.llc_bytes));
  return object;
}

void bench_topology_prefer_numa(bench_topology *topology, int node) {
  if (topology != NULL) {
    order_pus(topology, node);
  }
}

static hwloc_obj_t worker_pu(const bench_topology *topology, int worker) {
  if (topology == NULL || topology->facts.pus < 1 || worker < 0) {
    return NULL;
  }
  return topology->pu[worker % topology->facts.pus];
}

int bench_topology_worker_pu(const bench_topology *topology, int worker) {
  hwloc_obj_t pu = worker_pu(topology, worker);
  return pu != NULL ? (int)pu->os_index : -1;
}

bool bench_topology_bind_thread(const bench_topology *topology, int worker) {
  hwloc_obj_t pu = worker_pu(topology, worker);
  return pu != NULL && topology->this_machine &&
         hwloc_set_cpubind(topology->hwloc, pu->cpuset, HWLOC_CPUBIND_THREAD) == 0;
}

int bench_topology_numa_of_pci(const bench_topology *topology, const char *bus_id) {
  if (topology == NULL) {
    return -1;
  }
  hwloc_obj_t device = hwloc_get_pcidev_by_busidstring(topology->hwloc, bus_id);
  if (device == NULL) {
    return -1;
  }
  /* A device of unknown place hangs below the whole machine, whose node set has several nodes. */
  hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology->hwloc, device);
  if (place == NULL || place->nodeset == NULL || hwloc_bitmap_weight(place->nodeset) != 1) {
    return -1;
  }
  return hwloc_bitmap_first(place->nodeset);
}
