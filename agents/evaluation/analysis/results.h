// EvaluationResults: what an evaluation found, as plain data: the table of contestants with intervals, the
// paired comparisons with their verdicts, and what was tried to get there. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "scheduler/value/value.h"

namespace consort {

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// A figure of the table. "share" prints as per cent.
struct MeasureInfo {
  std::string name;  // accuracy, nll, brier, macroF1, auroc, ece, eceDebiased, aurc, bitsPerByte, ndcg10, ...
  bool higher_is_better = true;
  bool share = false;   // of 1
  std::string meaning;  // with its unit, for people
};

struct Estimate {
  double value = kUnknown;
  double low = kUnknown, high = kUnknown;  // 95 % interval; NaN: none was drawn
};

enum class Role {
  kMember,    // one model
  kStrategy,  // a combination of members
  kControl,   // the best member asked as often as the ensemble's compute pays for
  kOracle,    // knows the answers: a bound that nobody reaches
};
std::string_view role_name(Role role);  // "member", "strategy", "control", "oracle"

struct TableEntry {
  std::string name;
  Role role = Role::kMember;
  std::string how;   // what it does, in a sentence
  Value parameters;  // weights, temperatures; what was fitted
  std::vector<std::string>
      best_for;                    // measures for which it is the best member (or control) on the fit split
  std::vector<Estimate> measures;  // as EvaluationResults::measures; NaN where it has none
  double fit_score = kUnknown;  // on the fit split, fitted ones by cross-fitting: accuracy of classes, else
                                // the first measure
  double tokens = 0, flop = 0;  // an item of the test split
};

struct Comparison {
  std::string entry, against;
  std::string role;  // of `against`: "best member" or "same compute"
  std::string measure;
  double entry_value = kUnknown, against_value = kUnknown;
  Estimate difference;  // entry - against
  std::string test;     // "exact McNemar", "permutation", "permutation of groups"
  double p = 1, p_holm = 1;
  std::size_t items = 0, clusters = 0;
  std::size_t only_entry = 0, only_against = 0;  // McNemar: right where the other is wrong
  double detectable = kUnknown;                  // smallest true difference found with 80 % power
  std::string verdict;                           // "better", "equal", "worse"
  std::string sentence;                          // the same in words with n, interval and p
};

// Two members side by side (research note B).
struct PairDiversity {
  std::string a, b;
  double disagreement = 0, q = 0, kappa = 0, double_fault = 0, either_right = 0;
};

// What a member is worth to the uniform pool, in the first measure; positive is good.
struct MemberWorth {
  std::string member;
  double shapley = 0, leave_one_out = 0;
};

// Split conformal sets of a contestant that gives probabilities: fitted on a part of the fit split, its
// threshold found on the rest, measured on the test split.
inline constexpr double kSetMissRate = 0.1;  // the share of items whose set may miss the truth
struct PredictionSets {
  std::string contestant, score;  // LAC, APS or RAPS
  std::size_t calibration_items = 0;
  double threshold = 0;
  double coverage = 0;                 // share of test items whose set holds the truth
  double band_low = 0, band_high = 0;  // where 95 % of draws of so many calibration items put the coverage
  double mean_size = 0, single = 0, empty = 0;  // classes in a set; shares of sets with one and with none
  double worst_class = kUnknown;                // lowest coverage of a class (choices: of a place) with items
};

// What one way of calibrating makes of a contestant: fitted on the fit split, measured on the test split.
struct CalibratorResult {
  std::string contestant, way;       // way: as it came, temperature, vector scaling, Platt, isotonic
  double nll = 0, brier = 0;         // nats an item; 0 to 2
  double ece = 0, ece_debiased = 0;  // as the measures of the table
};

struct EvaluationResults {
  std::string task, kind, description, licence, source, digest;
  std::size_t items_train = 0, items_fit = 0, items_test = 0, clusters = 0;
  std::uint64_t seed = 0;
  int resamples = 0;
  std::vector<std::string> members;
  std::vector<MeasureInfo> measures;  // the first one decides
  std::vector<TableEntry> entries;
  std::vector<Comparison> comparisons;
  std::vector<PairDiversity> diversity;
  std::vector<PredictionSets> sets;           // empty: a task without classes, or too few items for fitting
  std::vector<CalibratorResult> calibrators;  // empty: a task without classes
  std::vector<MemberWorth> worth;             // empty: not all subsets were measured
  std::string chosen;  // the contestant that cross-fitting on the fit split prefers; may be a single member
  std::string chosen_by;  // the measure of that choice
  std::size_t tried = 0;  // contestants that were measured on the test split, members and oracle apart
  std::vector<std::string> notes;  // what the reader must know: too few items, no control, ...

  const TableEntry* find(std::string_view name) const;
  std::size_t measure(std::string_view name) const;  // its place; measures.size() when there is none
};

// results.json. Unknown numbers are null.
Value to_value(const EvaluationResults& results);
// contestant,role,measure,value,low,high,n,tokens_per_item,flop_per_item
std::string measures_csv(const EvaluationResults& results);
// One line a comparison.
std::string comparisons_csv(const EvaluationResults& results);
// The table for people: aligned columns, verdicts, notes.
std::string results_text(const EvaluationResults& results);

// "32.1 %", "1.234", "0.0012": as the table prints it.
std::string shown(const MeasureInfo& measure, double value);
std::string shown_difference(const MeasureInfo& measure,
                             double value);  // "+2.1", "-0.031"; points for shares
std::string shown_p(double p);               // "0.034", "< 0.0001"

}  // namespace consort
