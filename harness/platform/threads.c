/* The OpenMP threads of this process, each on a core of its own. */
#include "platform/threads.h"

#include <omp.h>

#include "platform/topology.h"

void bench_threads_bind(bench_device *device) {
  bench_topology *topology = bench_topology_open();
  if (device->numa_node < 0) {
    device->numa_node = bench_topology_numa_of_pci(topology, device->pci_bus_id);
  }
  bench_topology_prefer_numa(topology, device->numa_node);
  int cores = bench_topology_get_facts(topology).cores;
  int threads = device->threads > 0 ? device->threads : cores;
  omp_set_num_threads(threads > 0 ? threads : 1);
#pragma omp parallel
  { bench_topology_bind_thread(topology, omp_get_thread_num()); }
  bench_topology_close(topology);
}
