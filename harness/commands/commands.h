/* The subcommands: one file each, one row each in the table of main.c. */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

/* argv[0] is the subcommand's name. Each returns the exit status. */
int bench_command_sweep(int argc, char **argv);
int bench_command_list(int argc, char **argv);
int bench_command_info(int argc, char **argv);
int bench_command_check(int argc, char **argv);
int bench_command_selftest(int argc, char **argv);
int bench_command_calibrate(int argc, char **argv);
int bench_command_capacity(int argc, char **argv);
int bench_command_profile(int argc, char **argv);
int bench_command_ratios(int argc, char **argv);
int bench_command_plot(int argc, char **argv);
int bench_command_merge(int argc, char **argv);

/* One line on stderr and the exit status of a usage error. */
int bench_usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What getopt_long's '?' and ':' mean, told in one line; `long_name` is the option at hand. */
int bench_bad_option(const char *command, int letter, char *const *argv);

#endif
