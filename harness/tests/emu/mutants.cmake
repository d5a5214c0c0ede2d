# Planted faults of the CUDA kernels, at least six a kernel: bench_emu_mutant(NAME FILE FROM TO
# [KERNEL]).

bench_emu_mutant(naive_sum_rescale cuda/naive.cu "sum = sum * shrink + weight" "sum = sum + weight")
bench_emu_mutant(naive_out_rescale cuda/naive.cu "out[e] * shrink + added" "out[e] + added")
bench_emu_mutant(naive_mask_edge cuda/naive.cu "c < count && mask_sees" "c <= count && mask_sees")
bench_emu_mutant(naive_head_group cuda/naive.cu "head / shape.group * shape.seq_kv"
  "head * shape.seq_kv")
bench_emu_mutant(naive_unguarded_store cuda/naive.cu "    if (d < head_dim) {"
  "    if (d <= head_dim) {")
bench_emu_mutant(naive_row_index cuda/naive.cu "index % shape.seq_q" "index % shape.seq_kv")
bench_emu_mutant(naive_lse_base cuda/naive.cu "max * ln2 + log_natural" "max + log_natural")
bench_emu_mutant(naive_empty_row cuda/naive.cu "sum > 0 ? out[e] / sum : 0.0f" "out[e] / sum")
bench_emu_mutant(naive_lane_stride cuda/naive.cu "d = lane; d < shape.head_dim"
  "d = lane; d < shape.head_dim - 1")
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
bench_emu_mutant(flash_simt_sum_rescale cuda/flash_simt.cu "sums.sum[r] *= shrink[r]" "sums.sum[r] *= 1.0f")
bench_emu_mutant(flash_simt_out_rescale cuda/flash_simt.cu "out[s][r][c] *= shrink[r]" "out[s][r][c] *= 1.0f")
bench_emu_mutant(flash_simt_mask_edge cuda/flash_simt.cu "piece.end - begin : TILE" "piece.end - begin - 1 : TILE")
bench_emu_mutant(flash_simt_mask_place cuda/flash_simt.cu "bits << first & range" "bits & range")
bench_emu_mutant(flash_simt_mask_word cuda/flash_simt.cu "bit / 64 + 1) << (64 - shift)"
  "bit / 64 + 1) << (63 - shift)")
bench_emu_mutant(flash_simt_empty_row cuda/flash_simt.cu "max == minus_infinity() ? 0.0f : max" "max")
bench_emu_mutant(flash_simt_unguarded_row cuda/flash_simt.cu "if (row < q_rows)" "if (row <= q_rows)")
bench_emu_mutant(flash_simt_unguarded_column cuda/flash_simt.cu "          if (d < shape.head_dim)"
  "          if (d <= shape.head_dim)")
bench_emu_mutant(flash_simt_turned_twice cuda/flash_simt.cu "fetch<false>(block.right" "fetch<true>(block.right")
bench_emu_mutant(flash_simt_tile_left_out cuda/flash_simt.cu "next_tile(block, mask, keys, tile + 1)"
  "next_tile(block, mask, keys, tile + 2)")
bench_emu_mutant(flash_simt_head_group cuda/flash_simt.cu "head / shape.group * shape.seq_kv"
  "head * shape.seq_kv")
bench_emu_mutant(decode_slot cuda/decode_tile.h "slot = block.ring + n % Layout::SLOTS"
  "slot = block.ring + (n + 1) % Layout::SLOTS" cuda/decode.cu)
bench_emu_mutant(decode_wait cuda/decode_tile.h "cp_async_wait<Layout::SLOTS - 2>"
  "cp_async_wait<Layout::SLOTS - 1>" cuda/decode.cu)
bench_emu_mutant(decode_copy_too_early cuda/decode_tile.h "n + Layout::SLOTS - 1);"
  "n + Layout::SLOTS);" cuda/decode.cu)
bench_emu_mutant(decode_filled_with_keys cuda/decode_tile.h "there ? 16 : 0" "16" cuda/decode.cu)
bench_emu_mutant(decode_mask_edge cuda/decode_tile.h "place < end &&" "place <= end &&" cuda/decode.cu)
bench_emu_mutant(decode_sink_edge cuda/decode_tile.h "place < sunk" "place <= sunk" cuda/decode.cu)
bench_emu_mutant(decode_out_rescale cuda/decode_tile.h "rows.out[n][2 * h] *= shrink"
  "rows.out[n][2 * h] *= 1.0f" cuda/decode.cu)
bench_emu_mutant(decode_row_position cuda/decode.cu "(block.row + row) % shape.seq_q" "(block.row + row)")
bench_emu_mutant(decode_split_begin cuda/decode.cu "shape.keys.tiles * block.split /"
  "(shape.keys.tiles + 1) * block.split /")
bench_emu_mutant(decode_counter_left cuda/decode_merge.h "atomic_exch(arrived, 0u)"
  "atomic_exch(arrived, 1u)" cuda/decode.cu)
bench_emu_mutant(decode_first_merges cuda/decode_merge.h "== (uint32_t)(shape.splits - 1)" "== 0u"
  cuda/decode.cu)
bench_emu_mutant(decode_split_weight cuda/decode_merge.h
  "workspace.max[left + s * Layout::ROWS] - decode_base(max)"
  "workspace.max[left + s * Layout::ROWS]" cuda/decode.cu)
bench_emu_mutant(decode_unguarded_store cuda/decode_merge.h "d < shape.head_dim; c++" "d < Layout::D; c++"
  cuda/decode.cu)
bench_emu_mutant(decode_band_place cuda/decode_tile.h "n - keys.sink_tiles + keys.band_tile"
  "n + keys.band_tile" cuda/decode.cu)
bench_emu_mutant(decode_fma_rows cuda/decode_tile.h "rows.weights[n][2 + key % 2]"
  "rows.weights[n][key % 2]" cuda/decode.cu)

set(flash cuda/flash_mma.cu)
bench_emu_mutant(flash_swizzle cuda/flash_plan.h "step % PERIOD * 32" "step % PERIOD * 16" ${flash})
bench_emu_mutant(flash_rows_copied cuda/flash_plan.h "row < rows - n" "row <= rows - n" ${flash})
bench_emu_mutant(flash_key_fragment cuda/flash_product.h "q[m], pair[0], pair[2]"
  "q[m], pair[0], pair[1]" ${flash})
bench_emu_mutant(flash_weight_fragment cuda/flash_softmax.h "2 * k + i / 2" "2 * k + i % 2" ${flash})
bench_emu_mutant(flash_sum_rescale cuda/flash_softmax.h "state.sum[m][half] *= shrink"
  "state.sum[m][half] *= 1" ${flash})
bench_emu_mutant(flash_out_rescale cuda/flash_softmax.h "2 * half + 1] *= shrink" "2 * half + 1] *= 1"
  ${flash})
bench_emu_mutant(flash_empty_base cuda/flash_softmax.h "max == minus_infinity() ? 0.0f : max" "max"
  ${flash})
bench_emu_mutant(flash_stage cuda/flash_ring.h "slot == 0 ? Plan::SLOTS - 1 : slot - 1" "slot" ${flash})
bench_emu_mutant(flash_wait_late cuda/flash_ring.h "cp_async_wait<Plan::SLOTS - 2>"
  "cp_async_wait<Plan::SLOTS - 1>" ${flash})
bench_emu_mutant(flash_mask_edge cuda/flash_walk.h "min_i(i + (int)mask.ahead + 1, (int)mask.seq_kv)"
  "min_i(i + (int)mask.ahead, (int)mask.seq_kv)" ${flash})
bench_emu_mutant(flash_whole_tile cuda/flash_walk.h "tile.key >= rows.last + shift"
  "tile.key >= rows.row + shift" ${flash})
bench_emu_mutant(flash_sink_walk cuda/flash_walk.h "walk.key = min_i(walk.key, rows.sink_last)"
  "walk.key = -KEYS" ${flash})
bench_emu_mutant(flash_head_group cuda/flash_loop.h "(int64_t)(head / shape.group)" "(int64_t)head"
  ${flash})
bench_emu_mutant(flash_unguarded_store cuda/flash_output.h "own < seq_q && column"
  "own <= seq_q && column" ${flash})

set(sparse cuda/sparse_mma.cu)
bench_emu_mutant(sparse_sort_clear cuda/sparse_mma.cu "bins[c] = 0" "bins[c] += 0")
bench_emu_mutant(sparse_sort_place cuda/sparse_mma.cu "place += count" "place += count > 0")
bench_emu_mutant(sparse_sort_heaviest cuda/sparse_mma.cu "columns - thread_x() * run"
  "columns - 1 - thread_x() * run")
bench_emu_mutant(sparse_next_column cuda/flash_walk.h "rows.entries + walk.left - 2"
  "rows.entries + walk.left - 1" ${sparse})
bench_emu_mutant(sparse_tile_of_block cuda/flash_walk.h
  "mask.blocks.tile + rows.entries + walk.left - 1" "mask.blocks.tile + rows.entries" ${sparse})
bench_emu_mutant(sparse_block_parts cuda/flash_walk.h "--walk.part < 0" "--walk.part <= 0" ${sparse})
bench_emu_mutant(sparse_block_begin cuda/flash_walk.h "tile->begin = walk.key - walk.part * KEYS"
  "tile->begin = walk.key" ${sparse})
bench_emu_mutant(sparse_tile_row cuda/flash_walk.h "tile * list.block + row % block"
  "tile * list.block + row % 64" ${sparse})
