/* How a peer is started: `bench --peer COMMAND`, in a process group of its own, with the parent's
 * pipe as its standard input. */
#ifndef BENCH_PEER_START_H
#define BENCH_PEER_START_H

/* Becomes a shell with the command. A watcher stays in the group: some seconds after the parent's
 * end of the pipe is closed, as it is however the parent ends, it kills whatever of the group has
 * not left by itself, so that a peer that hangs does not keep its device for ever. Returns the exit
 * status where that fails; the error is printed. */
int bench_peer_start(const char *command);

#endif
