# Planted faults of the CUDA kernels, at least six a kernel: bench_emu_mutant(NAME FILE FROM TO
# [KERNEL]).

bench_emu_mutant(naive_sum_rescale cuda/naive.cu "sum = sum * shrink + weight" "sum = sum + weight")
bench_emu_mutant(naive_out_rescale cuda/naive.cu "out[e] * shrink + added" "out[e] + added")
bench_emu_mutant(naive_mask_edge cuda/naive.cu "c < count && mask_sees" "c <= count && mask_sees")
bench_emu_mutant(naive_head_group cuda/naive.cu "head / shape.group * shape.seq_kv"
  "head * shape.seq_kv")
bench_emu_mutant(naive_unguarded_store cuda/naive.cu "    if (d < head_dim) {" "    if (d <= head_dim) {")
bench_emu_mutant(naive_row_index cuda/naive.cu "index % shape.seq_q" "index % shape.seq_kv")
bench_emu_mutant(naive_lse_base cuda/naive.cu "max * ln2 + log_natural" "max + log_natural")
bench_emu_mutant(naive_empty_row cuda/naive.cu "sum > 0 ? out[e] / sum : 0.0f" "out[e] / sum")
bench_emu_mutant(naive_lane_stride cuda/naive.cu "d = lane; d < shape.head_dim" "d = lane; d < shape.head_dim - 1")
bench_emu_mutant(mask_window_edge cuda/mask_rows.h "i - rows.behind, sink, end"
  "i - rows.behind + 1, sink, end" cuda/naive.cu)
bench_emu_mutant(mask_tile_bit cuda/mask_rows.h "row % block) * rows.blocks.words"
  "row % 16) * rows.blocks.words" cuda/naive.cu)
bench_emu_mutant(mask_pattern cuda/mask_rows.h "pattern * list.rows + row / list.block"
  "row / list.block" cuda/naive.cu)
bench_emu_mutant(cublas_softmax_sum peers/cublas.cu "exp2_approx(scores[j] - base) * scale"
  "exp2_approx(scores[j]) * scale")
bench_emu_mutant(cublas_hidden_tail peers/cublas.cu "j = settled + thread_x(); j < shape.seq_kv"
  "j = settled + thread_x(); j < shape.seq_kv - 1")
bench_emu_mutant(cublas_value_stride peers/cublas.cu "pv.stride_b = attn->seq_kv * d"
  "pv.stride_b = attn->seq_q * d")
bench_emu_mutant(cublas_chunk_order peers/cublas.cu "from_float(weight, weights + j)"
  "from_float(weight, weights + j + 1)")
bench_emu_mutant(cublas_last_weight peers/cublas.cu
  "j < shape.seq_kv ? exp2_approx(scores[j] - base) * scale : 0.0f"
  "j < shape.seq_kv - 1 ? exp2_approx(scores[j] - base) * scale : 0.0f")
bench_emu_mutant(cublas_empty_row peers/cublas.cu "sees_nothing ? 0.0f : most" "most")
