// The extern "C" side of gbench.h. Exceptions end here.
#include <benchmark/benchmark.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "src/gbench.h"

namespace {

// Hands every report to several reporters, so that console and JSON come out of one run. (The
// library's own file reporter insists on a command line flag.)
class Tee : public benchmark::BenchmarkReporter {
 public:
  void Add(benchmark::BenchmarkReporter *reporter) {
    reporters_.push_back(reporter);
  }

  void AddConsole(benchmark::BenchmarkReporter *reporter) {
    console_ = reporter;
    Add(reporter);
  }

  bool ReportContext(const Context &context) override {
    bool go_on = true;
    for (auto *reporter : reporters_) {
      go_on = reporter->ReportContext(context) && go_on;
    }
    return go_on;
  }

  // A skipped case is no error: it has its row and its reason, and stands in the JSON alone. One
  // that was not reached has neither.
  void ReportRuns(const std::vector<Run> &runs) override {
    const std::string message = runs.empty() ? "" : runs[0].error_message;
    if (message == BENCH_GBENCH_NOT_REACHED) {
      return;
    }
    bool skipped = message.rfind("skipped", 0) == 0;
    for (auto *reporter : reporters_) {
      if (!skipped || reporter != console_) {
        reporter->ReportRuns(runs);
      }
    }
  }

  void Finalize() override {
    for (auto *reporter : reporters_) {
      reporter->Finalize();
    }
  }

 private:
  benchmark::BenchmarkReporter *console_ = nullptr;
  std::vector<benchmark::BenchmarkReporter *> reporters_;
};

void Report(benchmark::State &state, const bench_gbench_result &result) {
  if (result.skipped[0] != '\0') {
    state.SkipWithError(result.skipped);
    return;
  }
  state.SetIterationTime(result.time_s);
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(result.flops, Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = Counter(result.bytes, Counter::kIsIterationInvariantRate);
}

}  // namespace

extern "C" void bench_gbench_register(const char *name, bench_gbench_run_fn *run, void *context,
                                      size_t index) {
  benchmark::RegisterBenchmark(name,
                               [run, context, index](benchmark::State &state) {
                                 for (auto _ : state) {
                                   bench_gbench_result result = {};
                                   run(context, index, &result);
                                   Report(state, result);
                                 }
                               })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

extern "C" size_t bench_gbench_run_all(const char *name_regex, bool console, bool color,
                                       const char *json_path) {
  // The library takes its flags from BENCHMARK_* in the environment too. These would run a case
  // twice, out of order, or not at all.
  static char text[][48] = {"bench", "--benchmark_repetitions=1", "--benchmark_min_warmup_time=0",
                            "--benchmark_list_tests=false",
                            "--benchmark_enable_random_interleaving=false"};
  char *arguments[] = {text[0], text[1], text[2], text[3], text[4], nullptr};
  int count = 5;
  benchmark::Initialize(&count, arguments);
  using benchmark::ConsoleReporter;
  ConsoleReporter console_reporter(color ? ConsoleReporter::OO_ColorTabular
                                         : ConsoleReporter::OO_Tabular);
  benchmark::JSONReporter json_reporter;
  std::ofstream json;
  std::ostringstream unread;
  Tee tee;
  if (console) {
    console_reporter.SetOutputStream(&std::cout);
    // What it says of the machine, and of how the library was built, stands better in the
    // manifest: no sample is taken in this process.
    console_reporter.SetErrorStream(&unread);
    tee.AddConsole(&console_reporter);
  }
  if (json_path != nullptr) {
    json.open(json_path);
    json_reporter.SetOutputStream(&json);
    json_reporter.SetErrorStream(&unread);
    tee.Add(&json_reporter);
  }
  std::string spec = name_regex[0] == '\0' ? "." : name_regex;
  return benchmark::RunSpecifiedBenchmarks(&tee, spec);
}

extern "C" void bench_gbench_clear(void) {
  benchmark::ClearRegisteredBenchmarks();
}
