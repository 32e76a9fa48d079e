// Contest: everything that was measured item by item on the test split, before intervals and tests. Each kind
// of task makes one (class_contest.h, ...); judge() turns it into results, the report draws it. Plain data.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "agents/evaluation/analysis/results.h"

namespace consort {

// A measure that is a mean over items: sum of `sums` / sum of `weights`.
struct ItemMeasure {
  std::vector<double> sums;     // [test item]; NaN: the item has no say
  std::vector<double> weights;  // [test item]; empty = 1 each
};

// Members share nothing between contestants; every vector is over the test items in the task's order.
struct Contestant {
  TableEntry entry;                          // measures stay empty until judge()
  std::vector<std::string> parts;            // the members it asks
  std::map<std::string, ItemMeasure> items;  // by measure
  std::vector<std::vector<double>> log_p;    // [item][class] nats; empty: it gives no probabilities
  std::vector<double> confidence;            // in its answer, 0 to 1; empty: none
  std::vector<double> right;                 // 1 or 0; empty for tasks without right and wrong
  std::vector<double> values;                // pairs: its number for each item
};

// A measure of many items together: accuracy is none, the area under a curve is one. `items` are places in
// the test split, repeated as a resample has them.
using GroupMeasure = std::function<double(const Contestant& contestant, std::span<const std::size_t> items)>;

// Quality of the uniform pool of a subset of members.
struct SubsetQuality {
  std::vector<std::string> members;
  double value = 0;
};

// How weights moved while items or bytes came.
struct WeightTrajectory {
  std::string what, unit;  // caption and name of the steps
  std::vector<std::string> members;
  std::vector<std::vector<double>> weights;  // [step][member]
};

struct Contest {
  std::vector<MeasureInfo> measures;           // the first decides
  std::map<std::string, GroupMeasure> groups;  // those that are no mean over items
  std::vector<std::string> tested;             // measures that comparisons are made on
  std::vector<std::string> item_names;         // of the test split
  std::vector<std::size_t> clusters;           // [test item]: number of its group, dense
  std::vector<std::size_t> gold;               // classes only
  std::vector<Contestant> contestants;
  std::map<std::string, std::string> best_member;   // measure -> contestant, chosen on the fit split
  std::map<std::string, std::string> best_control;  // the same among controls; absent without one
  std::string chosen, chosen_by;
  std::vector<SubsetQuality> subsets;  // all of them where members are few; members in the table's order
  std::vector<PredictionSets> sets;    // classes only
  std::vector<CalibratorResult> calibrators;  // classes only
  double nobody = 0;                          // the first measure of knowing nothing, for Shapley values
  WeightTrajectory trajectory;                // empty: none
  std::vector<std::string> notes;

  const Contestant* find(std::string_view name) const;
  std::size_t size() const { return item_names.size(); }
};

// The measure of a contestant over some items (places in the test split, with repeats); NaN when it has none.
double measured(const Contest& contest, const Contestant& contestant, const std::string& measure,
                std::span<const std::size_t> items);

}  // namespace consort
