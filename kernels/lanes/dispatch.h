// How an op reaches the version of its kernel for the instruction set of an Exec.
//   kernel.h:      CONSORT_FOR_EACH_ISA(void rms_norm_rows(const RowsArgs& args))
//   kernel-inl.h:  the one source, in namespace consort::CONSORT_LANES, over kernels/lanes/lanes.h
//   cpu.cpp, cpu_avx2.cpp, cpu_avx512.cpp: include kernel-inl.h, compiled for scalar, AVX2, AVX-512
//   the op:        CONSORT_ISA_CALL(exec.isa, rms_norm_rows, args)
#pragma once

#include "kernels/cpu/isa.h"

#define CONSORT_FOR_EACH_ISA(declaration) \
  namespace scalar {                      \
  declaration;                            \
  }                                       \
  namespace avx2 {                        \
  declaration;                            \
  }                                       \
  namespace avx512 {                      \
  declaration;                            \
  }

#define CONSORT_ISA_CALL(isa, function, ...)                                   \
  ((isa) == ::consort::Isa::kAvx512 ? ::consort::avx512::function(__VA_ARGS__) \
   : (isa) == ::consort::Isa::kAvx2 ? ::consort::avx2::function(__VA_ARGS__)   \
                                    : ::consort::scalar::function(__VA_ARGS__))
