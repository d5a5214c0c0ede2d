// cudnn.h by cudnn-frontend (https://github.com/NVIDIA/cudnn-frontend), whose graph API builds the
// attention and whose dynamic mode looks cuDNN's symbols up in a library that we open. Exceptions
// end here.
#include "bench/cudnn.h"

#include <cudnn_frontend.h>
#include <dlfcn.h>

#include <cmath>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fe = cudnn_frontend;

namespace cudnn_frontend {
void *cudnn_dlhandle;  // the frontend declares it, and leaves it to its user
}

namespace {

enum Tensor : int64_t { Q = 1, K, V, O, LSE };

// The plan of one problem.
struct Plan {
  bench_attn attn;
  std::unique_ptr<fe::graph::Graph> graph;
};

cudnnHandle_t handle;
// The newest last. Layers of a hybrid mask ask for two in turn, within one timed region.
constexpr size_t kPlans = 4;
std::vector<Plan> plans;

const char *OpenLibrary() {
  fe::cudnn_dlhandle = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  return fe::cudnn_dlhandle != nullptr ? nullptr
                                       : "cuDNN is not there: libcudnn.so.9 does not open";
}

// A tensor [batch][heads][rows][columns], as attn.h lays it out.
fe::graph::Tensor_attributes Shape(Tensor uid, int64_t batch, int64_t heads, int64_t rows,
                                   int64_t columns) {
  return fe::graph::Tensor_attributes()
      .set_uid(uid)
      .set_dim({batch, heads, rows, columns})
      .set_stride({heads * rows * columns, rows * columns, columns, 1});
}

fe::graph::SDPA_attributes Options(const bench_attn &attn) {
  auto options = fe::graph::SDPA_attributes()
                     .set_name("attention")
                     .set_generate_stats(true)
                     .set_attn_scale(1.0f / std::sqrt(static_cast<float>(attn.head_dim)));
  if (attn.mask.kind != BENCH_MASK_FULL) {
    options.set_diagonal_alignment(fe::DiagonalAlignment_t::BOTTOM_RIGHT)
        .set_diagonal_band_right_bound(0);
  }
  if (attn.mask.kind == BENCH_MASK_WINDOW) {
    // Row i sees key j where j + bound > i.
    options.set_diagonal_band_left_bound(static_cast<int>(attn.mask.window));
  }
  return options;
}

fe::error_t Build(const bench_attn &attn, fe::graph::Graph &graph) {
  const auto io = attn.dtype == BENCH_FP16 ? fe::DataType_t::HALF : fe::DataType_t::BFLOAT16;
  graph.set_io_data_type(io)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  auto q = graph.tensor(Shape(Q, attn.batch, attn.heads_q, attn.seq_q, attn.head_dim));
  auto k = graph.tensor(Shape(K, attn.batch, attn.heads_kv, attn.seq_kv, attn.head_dim));
  auto v = graph.tensor(Shape(V, attn.batch, attn.heads_kv, attn.seq_kv, attn.head_dim));
  auto [o, lse] = graph.sdpa(q, k, v, Options(attn));
  const auto o_shape = Shape(O, attn.batch, attn.heads_q, attn.seq_q, attn.head_dim);
  o->set_output(true).set_uid(O).set_dim(o_shape.get_dim()).set_stride(o_shape.get_stride());
  lse->set_output(true).set_uid(LSE).set_data_type(fe::DataType_t::FLOAT);
  return graph.build(handle, {fe::HeurMode_t::A});
}

bench_code Check(const bench_launch &launch, fe::error_t error) {
  return error.is_good() ? BENCH_OK
                         : bench_fail(launch.error,
                                      error.get_code() == fe::error_code_t::GRAPH_NOT_SUPPORTED
                                          ? BENCH_ERR_UNSUPPORTED
                                          : BENCH_ERR_DEVICE,
                                      "cuDNN: %s", error.get_message().c_str());
}

bench_code CheckStatus(const bench_launch &launch, cudnnStatus_t status, const char *what) {
  return status == CUDNN_STATUS_SUCCESS
             ? BENCH_OK
             : bench_fail(launch.error, BENCH_ERR_DEVICE, "%s: status %d", what,
                          static_cast<int>(status));
}

// In all that a plan depends on.
bool IsSame(const bench_attn &a, const bench_attn &b) {
  return a.batch == b.batch && a.heads_q == b.heads_q && a.heads_kv == b.heads_kv &&
         a.head_dim == b.head_dim && a.seq_q == b.seq_q && a.seq_kv == b.seq_kv &&
         a.dtype == b.dtype && a.mask.kind == b.mask.kind && a.mask.window == b.mask.window;
}

Plan *FindPlan(const bench_attn &attn) {
  for (Plan &plan : plans) {
    if (IsSame(plan.attn, attn)) {
      return &plan;
    }
  }
  return nullptr;
}

bench_code MakePlan(const bench_launch &launch, Plan **out) {
  Plan plan = {*launch.attn, std::make_unique<fe::graph::Graph>()};
  bench_code code = Check(launch, Build(plan.attn, *plan.graph));
  if (code == BENCH_OK &&
      plan.graph->get_workspace_size() > static_cast<int64_t>(BENCH_CUDNN_WORKSPACE_BYTES)) {
    code = bench_fail(launch.error, BENCH_ERR_UNSUPPORTED, "cuDNN wants %lld bytes of workspace",
                      static_cast<long long>(plan.graph->get_workspace_size()));
  }
  if (code != BENCH_OK) {
    return code;
  }
  if (plans.size() == kPlans) {
    plans.erase(plans.begin());
  }
  plans.push_back(std::move(plan));
  *out = &plans.back();
  return BENCH_OK;
}

bench_code Attention(const bench_launch &launch) {
  bench_code code = BENCH_OK;
  if (handle == nullptr) {
    code = CheckStatus(launch, fe::detail::create_handle(&handle), "cudnnCreate");
  }
  if (code == BENCH_OK) {
    code = CheckStatus(launch,
                       fe::detail::set_stream(handle, static_cast<cudaStream_t>(launch.stream)),
                       "cudnnSetStream");
  }
  Plan *plan = FindPlan(*launch.attn);
  if (code == BENCH_OK && plan == nullptr) {
    code = MakePlan(launch, &plan);
  }
  if (code != BENCH_OK) {
    return code;
  }
  std::unordered_map<int64_t, void *> tensors = {{Q, const_cast<void *>(launch.q)},
                                                 {K, const_cast<void *>(launch.k)},
                                                 {V, const_cast<void *>(launch.v)},
                                                 {O, launch.o},
                                                 {LSE, launch.lse}};
  return Check(launch, plan->graph->execute(handle, tensors, launch.workspace));
}

}  // namespace

extern "C" const char *bench_cudnn_why_not(void) {
  static const char *const why_not = OpenLibrary();
  return why_not;
}

extern "C" bench_code bench_cudnn_attention(const bench_launch *launch) {
  if (bench_cudnn_why_not() != nullptr) {
    return bench_fail(launch->error, BENCH_ERR_UNSUPPORTED, "%s", bench_cudnn_why_not());
  }
  try {
    return Attention(*launch);
  } catch (const std::exception &error) {
    return bench_fail(launch->error, BENCH_ERR_DEVICE, "cuDNN: %s", error.what());
  }
}
