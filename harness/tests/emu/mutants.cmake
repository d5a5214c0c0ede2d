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
bench_emu_mutant(sparse_sort_clear cuda/sparse_order.h "bins[c] = 0" "bins[c] += 0" ${sparse})
bench_emu_mutant(sparse_sort_heaviest cuda/sparse_order.h "columns - thread_x() * run"
  "columns - 1 - thread_x() * run" ${sparse})
bench_emu_mutant(sparse_next_column cuda/flash_walk.h "rows.entries + walk.left - 2"
  "rows.entries + walk.left - 1" ${sparse})
bench_emu_mutant(sparse_tile_of_block cuda/flash_walk.h
  "mask.blocks.tile + rows.entries + walk.left - 1" "mask.blocks.tile + rows.entries" ${sparse})
bench_emu_mutant(sparse_block_parts cuda/flash_walk.h "--walk.part < 0" "--walk.part <= 0" ${sparse})
bench_emu_mutant(sparse_block_begin cuda/flash_walk.h "tile->begin = walk.key - walk.part * KEYS"
  "tile->begin = walk.key" ${sparse})
bench_emu_mutant(sparse_tile_row cuda/flash_walk.h "tile * list.block + row % block"
  "tile * list.block + row % 64" ${sparse})

# flash/sm90: the order of its parts, then places, then numbers.
bench_emu_mutant(flash_sm90_parity cuda/flash_sm90_channel.h
  "channel_empty(channel), channel.parity ^ 1" "channel_empty(channel), channel.parity"
  cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_consumers cuda/flash_sm90_channel.h
  "channel_init(channels.keys, Plan::CONSUMER_WARPS)" "channel_init(channels.keys, 4)"
  cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_early_scores cuda/flash_sm90_loop.h
  "wgmma_wait<Plan::OVERLAPS ? 1 : 0>()" "wgmma_wait<2>()" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_lost_turn cuda/flash_sm90_loop.h "Plan::GROUPS == 2 || group == 0"
  "group == 1" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_queue_first cuda/flash_sm90_queue.h
  "queue_pipes<Plan>() + (int)atomic_add" "(int)atomic_add" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_queue_left cuda/flash_sm90_queue.h "queue_pipes<Plan>() - 1"
  "queue_pipes<Plan>()" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_queue_overrun cuda/flash_sm90_queue.h
  "mbar_wait(channel_empty(places), places.parity ^ 1);" "" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_query_turn cuda/flash_sm90_loop.h "channel_tile(from.query) + at.group"
  "from.query.tiles + at.group" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_key_head cuda/flash_sm90_loop.h "walk.rows.head / work.shape.group"
  "walk.rows.head" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_operand_step cuda/flash_sm90_product.h
  "panel * Plan::KEYS + k % 4 * 32" "panel * Plan::KEYS + k % 4 * 64" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_value_panel cuda/flash_sm90_product.h
  "wgmma_desc(values, Plan::KEYS * PANEL_PITCH" "wgmma_desc(values, PANEL_PITCH"
  cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_head_pitch cuda/flash_sm90_launch.h "pitch * seq}"
  "pitch * attn->seq_q}" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_hidden_row cuda/flash_sm90_softmax.h "half * 8 + lane / 4) >> column"
  "lane / 4) >> column" cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_slice cuda/flash_sm90_softmax.h "tile.key + 64 * slice" "tile.key"
  cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_shrink cuda/flash_sm90_softmax.h "shrink[i / 2]" "shrink[i % 2]"
  cuda/flash_sm90.cu)
bench_emu_mutant(flash_sm90_fma_exponent cuda/flash_exp2.h "(float_bits(n) << 23)"
  "(float_bits(n) << 22)" cuda/flash_sm90_fma.cu)
bench_emu_mutant(flash_sm90_serial_early_scores cuda/flash_sm90_loop.h
  "wgmma_wait<Plan::OVERLAPS ? 1 : 0>()" "wgmma_wait<2>()" cuda/flash_sm90_serial.cu)

# flash/sm90_tma, which has a loop of its own.
set(tma cuda/flash_sm90_tma.cu)
bench_emu_mutant(flash_sm90_tma_value_key ${tma} "to.values, v, walk.tile.key"
  "to.values, v, walk.tile.key + 8")
bench_emu_mutant(flash_sm90_tma_query_row ${tma} "work.q, at.rows.row" "work.q, at.rows.row + 1")
bench_emu_mutant(flash_sm90_tma_key_head ${tma} "at.rows.head / work.shape.group" "at.rows.head")
bench_emu_mutant(flash_sm90_tma_unmasked ${tma} "hopper_weigh<true>" "hopper_weigh<false>")
bench_emu_mutant(flash_sm90_tma_no_rescale ${tma} "rise_output(r, shrink)" "(void)shrink")
bench_emu_mutant(flash_sm90_tma_same_tile ${tma} "tiles_next(ahead, work.mask);" "")

# sparse/sm90, with the order of its block rows.
bench_emu_mutant(sparse_sm90_tile_ahead cuda/flash_sm90_walk.h
  "walk.rows.entries + walk.next.left - 1" "walk.rows.entries + walk.next.left"
  cuda/sparse_sm90.cu)
bench_emu_mutant(sparse_sm90_block_begin cuda/flash_sm90_walk.h "tile.key - walk.next.part * KEYS"
  "tile.key - KEYS" cuda/sparse_sm90.cu)
bench_emu_mutant(sparse_sm90_found_entries cuda/flash_sm90_loop.h
  "walk.rows.entries = found.entries" "walk.rows.entries = 0" cuda/sparse_sm90.cu)
bench_emu_mutant(sparse_sm90_found_words cuda/flash_sm90_queue.h "tile + 4 + 4 * i" "tile + 4 * i"
  cuda/sparse_sm90.cu)
bench_emu_mutant(sparse_sm90_shared_pipe cuda/flash_sm90_loop.h
  "channels_at<Plan>(memory + pipe * Plan::PIPE_BYTES), group" "channels_at<Plan>(memory), group"
  cuda/sparse_sm90.cu)
bench_emu_mutant(sparse_sm90_wide_rows cuda/sparse_sm90.cu "launch->blocks->block % 128 == 0"
  "launch->blocks->block % 64 == 0")
bench_emu_mutant(sparse_sm90_last_row cuda/sparse_sm90.cu
  "rows.row + block_rows, shape.seq_q) - 1" "rows.row + block_rows, shape.seq_q) - 2")
bench_emu_mutant(sparse_sm90_bins cuda/sparse_order.h
  "(memory) + sparse_order_rows(attn)" "(memory)" cuda/sparse_sm90.cu)
