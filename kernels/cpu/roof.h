// The machine's roof, measured in a moment: what a kernel's GB/s and GFLOP/s are compared with (`consort
// bench`, the parity harness's perf mode). Source of the idea: Williams, Waterman, Patterson, "Roofline",
// CACM 2009.
#pragma once

#include "kernels/cpu/isa.h"

namespace consort {

struct Roof {
  int threads = 1;
  double dram_read_gbs = 0;   // GB/s (1e9) reading 256 MiB once; a huge last-level cache may hold a part
  double l3_read_gbs = 0;     // GB/s reading 8 MiB again and again, all threads together
  double cache_read_gbs = 0;  // GB/s summing a 1 MiB buffer per thread (second-level cache)
  double f32_gflops = 0;      // fused multiply-add counts two
  double bf16_gflops = 0;     // bfloat16 multiply-add counts two (vdpbf16ps); 0: no such instruction
  double int16_gops = 0;      // exact products of words, added in 32 bits, count two (vpdpwssd, vpmaddwd)
  double int8_gops = 0;       // 8-bit multiply-add counts two (vpdpbusd, or what the instruction set has)
};

// Takes about `seconds` in all and 256 MiB of memory while it runs (less where that is not to be had). Runs
// its own threads; call it when nothing else is busy.
Roof measure_roof(Isa isa, int threads, double seconds = 0.6);

}  // namespace consort
