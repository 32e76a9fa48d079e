// Passes over one row of logits (up to 262,144 floats for Gemma) that sampling and scoring need. Stateless;
// any thread. Every machine and instruction set gives the same bits (logit_passes-inl.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace consort {

// The largest value; NaN never wins; -infinity for an empty row.
float largest(std::span<const float> logits);

// Index of the first element equal to `value`; logits.size() where there is none.
std::size_t index_of(std::span<const float> logits, float value);

// weights[i] = exp((logits[i] - top) * scale), 0 below exp(-87) and for NaN; relative error below 2e-7.
// blocks[b]: float64 sum of weights of block b of kWeightBlock elements. Returns the sum of all.
// REQUIRES: top >= every logit, scale > 0 and finite; weights has logits.size() elements.
inline constexpr std::size_t kWeightBlock = 1024;
double exponentials(std::span<const float> logits, float top, float scale, std::span<float> weights,
                    std::vector<double>& blocks);
// The sum alone, with scale 1.
double sum_of_exponentials(std::span<const float> logits, float top);

// Appends the indices whose weight is at least `least`, ascending; returns the sum of their weights.
double gather_at_least(std::span<const float> weights, float least, std::vector<std::uint32_t>& ids);

}  // namespace consort
