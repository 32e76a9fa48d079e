// Which examples are fitted on and which judge. Everything is decided by the seed and the order of the data,
// the same on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace consort {

// A fold for each example, 0 to folds - 1; classes (may be empty) are spread evenly.
std::vector<int> assign_folds(std::size_t examples, std::span<const std::int32_t> classes, int folds,
                              std::uint64_t seed);

// A fold for each example so that examples of one group share it: groups from the largest to the smallest
// (equals in an order drawn by the seed) each go to the fold that has the fewest examples. `groups`: a number
// for each example.
std::vector<int> assign_group_folds(std::span<const std::uint32_t> groups, int folds, std::uint64_t seed);

// true for the examples that are held aside: round(examples * share) drawn by the seed.
std::vector<bool> hold_aside(std::size_t examples, double share, std::uint64_t seed);

// Whole groups are held aside: from the largest group to the smallest (equals by their first example) each is
// fitted on while it still fits into examples * (1 - share), else held aside. So what judges are examples of
// groups that are rare. With scaffolds as groups this is the scaffold split of Wu et al. 2018, "MoleculeNet",
// section 3.2, without a validation part. Nothing is drawn.
std::vector<bool> hold_groups_aside(std::span<const std::uint32_t> groups, double share);

}  // namespace consort
