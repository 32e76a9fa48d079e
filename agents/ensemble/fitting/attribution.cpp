#include "agents/ensemble/fitting/attribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "agents/ensemble/fitting/random.h"

namespace consort::fitting {
namespace {

tl::unexpected<Error> no_number() {
  return fail(ErrorKind::kInvalid, "the value of a set of members is not finite", "",
              "the empty set needs a value too: what is scored without any member");
}

std::vector<std::size_t> members_of(std::size_t mask) {
  std::vector<std::size_t> set;
  for (std::size_t m = 0; mask >> m != 0; ++m) {
    if ((mask >> m & 1) != 0) set.push_back(m);
  }
  return set;
}

Result<Shapley> exact_values(std::size_t members, const SubsetValue& value) {
  const std::size_t sets = std::size_t{1} << members;
  std::vector<double> worth(sets);
  for (std::size_t mask = 0; mask < sets; ++mask) {
    worth[mask] = value(members_of(mask));
    if (!std::isfinite(worth[mask])) return no_number();
  }
  // share[s] = s! (M - s - 1)! / M!, the chance that exactly a given set of s members came before.
  std::vector<double> share(members);
  share[0] = 1 / static_cast<double>(members);
  for (std::size_t s = 1; s < members; ++s) {
    share[s] = share[s - 1] * static_cast<double>(s) / static_cast<double>(members - s);
  }
  Shapley made;
  made.exact = true;
  made.tried = sets;
  made.values.assign(members, 0.0);
  made.standard_errors.assign(members, 0.0);
  for (std::size_t mask = 0; mask < sets; ++mask) {
    const std::size_t size = members_of(mask).size();
    for (std::size_t m = 0; m < members; ++m) {
      if ((mask >> m & 1) == 0) {
        made.values[m] += share[size] * (worth[mask | std::size_t{1} << m] - worth[mask]);
      }
    }
  }
  return made;
}

// Adds what each member brought when members joined in this order.
Status add_contributions(std::span<const std::size_t> order, const SubsetValue& value, double empty,
                         std::vector<double>& sums, std::size_t& calls) {
  std::vector<bool> in(order.size(), false);
  double before = empty;
  for (const std::size_t m : order) {
    in[m] = true;
    std::vector<std::size_t> set;
    for (std::size_t k = 0; k < in.size(); ++k) {
      if (in[k]) set.push_back(k);
    }
    const double after = value(set);
    ++calls;
    if (!std::isfinite(after)) return no_number();
    sums[m] += after - before;
    before = after;
  }
  return {};
}

}  // namespace

Result<std::vector<double>> leave_one_out(std::size_t members, const SubsetValue& value) {
  if (members < 2) return fail(ErrorKind::kInvalid, "leaving one out needs two members or more");
  std::vector<std::size_t> all(members);
  std::iota(all.begin(), all.end(), std::size_t{0});
  const double whole = value(all);
  std::vector<double> out;
  for (std::size_t m = 0; m < members; ++m) {
    std::vector<std::size_t> rest = all;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(m));
    out.push_back(whole - value(rest));
    if (!std::isfinite(out.back())) return no_number();
  }
  return out;
}

Result<Shapley> shapley_values(std::size_t members, const SubsetValue& value, int permutations,
                               std::uint64_t seed) {
  if (members == 0) return fail(ErrorKind::kInvalid, "there are no members to value");
  if (members <= kMostExactShapley) return exact_values(members, value);
  if (permutations < 4) return fail(ErrorKind::kInvalid, "sampled Shapley values need four orders or more");
  const double empty = value({});
  if (!std::isfinite(empty)) return no_number();
  Shapley made;
  made.tried = 1;
  const int pairs = permutations / 2;
  std::vector<double> sum(members, 0.0), squares(members, 0.0);
  std::vector<std::size_t> order(members);
  for (int p = 0; p < pairs; ++p) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    SeededStream(seed, static_cast<std::uint64_t>(p)).shuffle(order);
    std::vector<double> both(members, 0.0);
    CONSORT_CHECK_OK(add_contributions(order, value, empty, both, made.tried));
    const std::vector<std::size_t> reversed(order.rbegin(), order.rend());
    CONSORT_CHECK_OK(add_contributions(reversed, value, empty, both, made.tried));
    for (std::size_t m = 0; m < members; ++m) {
      sum[m] += both[m] / 2;
      squares[m] += both[m] / 2 * (both[m] / 2);
    }
  }
  const auto n = static_cast<double>(pairs);
  for (std::size_t m = 0; m < members; ++m) {
    const double mean = sum[m] / n;
    made.values.push_back(mean);
    made.standard_errors.push_back(std::sqrt(std::max(0.0, squares[m] / n - mean * mean) / (n - 1)));
  }
  return made;
}

}  // namespace consort::fitting
