// Strategies over choices and labels: fitted on some items, applied to others. Members come as matrices of ln
// p [item, class], padded where an item has fewer options than the widest one. Private to this room.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"
#include "scheduler/value/value.h"

namespace consort {

// ln p of a class that an item does not have: e^-1e9 is 0, and it stays finite and far below every true ln p
// through temperatures and pools.
inline constexpr double kNoClass = -1e9;

// One member on some items.
struct ClassView {
  fitting::MatrixView log_p;     // [item, class]
  fitting::MatrixView per_byte;  // ln p a byte of each option; no columns where bytes are unknown
  double cost = 0;               // mean FLOP an item (tokens where FLOP are unknown)
  fitting::MatrixView embedding = {};  // [item, dimension]; no columns where the member gives none
};

struct ClassSaid {
  fitting::Matrix log_p;             // [item, class]; no columns: it gives no probabilities
  std::vector<std::int32_t> answer;  // [item]; -1: none
  std::vector<double> confidence;    // [item]
  std::vector<std::uint8_t> alone;   // [item] 1: only the first `always` of `parts` were asked; empty: always all
};

struct FittedClasses {
  Value parameters;
  std::vector<std::size_t> parts;  // members that are asked
  std::function<Result<ClassSaid>(std::span<const ClassView> members)> apply;
  std::size_t always = 1;  // cascades: so many of `parts` are asked about every item
};

struct ClassStrategy {
  std::string name, how;
  // truth: [item]. Errors: kInvalid from the fitting.
  std::function<Result<FittedClasses>(std::span<const ClassView> members,
                                      std::span<const std::int32_t> truth)>
      fit;
};

// All that suit the members, in the table's order. names: of the members, for parameters. per_byte: every
// member has bytes (rank). classes: the number of options, for votes.
std::vector<ClassStrategy> class_strategies(const std::vector<std::string>& names, bool per_byte,
                                            double classes);
std::vector<std::string> class_strategy_names();

// One member as it is, and with a temperature fitted.
ClassStrategy raw_member(std::size_t place);
ClassStrategy calibrated_member(const std::vector<std::string>& names, std::size_t place);

// Answers and confidences of distributions.
ClassSaid said_by(fitting::Matrix log_p);

}  // namespace consort
