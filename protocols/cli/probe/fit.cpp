#include "protocols/cli/probe/fit.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "models/chem/chem.h"
#include "models/probe/fit.h"
#include "models/probe/probe_file.h"
#include "models/probe/split.h"
#include "protocols/cli/engine.h"
#include "protocols/cli/probe/examples.h"
#include "protocols/cli/probe/report.h"
#include "protocols/cli/probe/targets.h"

namespace consort {
namespace {

constexpr std::size_t kShownFailures = 100;

// One target's examples: those that have a label, either to fit on or to judge by.
struct Selection {
  std::vector<float> embeddings;
  std::vector<double> numbers;
  std::vector<std::int32_t> classes;
  std::vector<int> folds;

  ProbeData data(const TargetColumn& target, std::size_t dimension) const {
    ProbeData data;
    data.dimension = dimension;
    data.embeddings = embeddings;
    data.folds = folds;
    if (target.kind == ProbeKind::kRidge)
      data.numbers = numbers;
    else
      data.classes = classes;
    data.labels = target.labels;
    return data;
  }
};

class ProbeFitCommand {
 public:
  ProbeFitCommand(CliContext& context, const ProbeFitFlags& flags) : c_(context), f_(flags) {}

  Result<int> run() {
    CONSORT_CHECK_OK(check_flags());
    CONSORT_CHECK_OK(read());
    CONSORT_CHECK_OK(embed());
    CONSORT_CHECK_OK(divide());
    CONSORT_CHECK_OK(fit());
    file_.encoders = examples_.encoders;
    file_.level = f_.level;
    file_.input_kind = items_.kind;
    file_.input_type = f_.input_type;
    file_.unit_length = f_.length == "unit";
    const Value report = report_value();
    file_.report = write_json(report);
    CONSORT_CHECK_OK(save_probes(file_, f_.out));
    if (!c_.options.json && c_.console.terminal_out())
      c_.console.out(probe_report_text(file_, report));
    else
      c_.console.result(report.with("out", f_.out));
    return 0;
  }

 private:
  std::uint64_t seed() const { return c_.options.seed.value_or(0); }
  bool parts() const { return f_.level == "part"; }

  Status check_flags() {
    items_ = {f_.input, f_.as.empty() ? guessed_item_kind(f_.input) : f_.as};
    if (f_.split == "scaffold" && items_.kind != "smiles")
      return fail(ErrorKind::kUsage, "scaffolds are of molecules", "--split",
                  "give the items with --as smiles");
    if (f_.split == "item" && !parts())
      return fail(ErrorKind::kUsage, "--split item keeps the parts of an item together", "--split",
                  "it belongs to --level part");
    for (const std::vector<std::string>* names : {&f_.models, &f_.targets})
      if (std::set<std::string>(names->begin(), names->end()).size() != names->size())
        return fail(ErrorKind::kUsage, "a name stands twice", names == &f_.models ? "--model" : "--target");
    return {};
  }

  Status read() {
    CONSORT_TRY(table, read_data_table(f_.data));
    table_ = std::move(table);
    CONSORT_CHECK_OK(table_.check_column(f_.input));
    TargetOptions options;
    options.parts = parts();
    options.missing = f_.missing;
    if (f_.kind != "auto") options.kind = f_.kind == "ridge" ? ProbeKind::kRidge : ProbeKind::kLogistic;
    for (const std::string& name : f_.targets) {
      CONSORT_TRY(target, read_target(table_, name, options));
      targets_.push_back(std::move(target));
    }
    return {};
  }

  // Rows without any label are not embedded.
  Status embed() {
    std::vector<std::size_t> rows;
    for (std::size_t row = 0; row < table_.rows.size(); ++row)
      if (!std::all_of(targets_.begin(), targets_.end(), [&](const auto& t) { return t.missing_in(row); }))
        rows.push_back(row);
    unlabelled_ = table_.rows.size() - rows.size();
    CONSORT_TRY(engine, Engine::start(c_));
    EmbedPlan plan;
    plan.models = f_.models;
    plan.input_type = f_.input_type;
    plan.level = parts() ? EmbeddingLevel::kPart : EmbeddingLevel::kItem;
    plan.skip_bad = f_.on_error == "skip";
    plan.unit_length = f_.length == "unit";
    CONSORT_TRY(examples, embed_rows(c_, *engine, table_, items_, rows, plan));
    examples_ = std::move(examples);
    return check_parts();
  }

  // Every item has as many labels as parts; examples are counted part by part.
  Status check_parts() {
    for (std::size_t i = 0; i < examples_.rows.size(); ++i) {
      const std::size_t count = examples_.embeddings[i].size() / examples_.dimension, row = examples_.rows[i];
      for (const TargetColumn& target : targets_)
        if (!target.values[row].empty() && target.values[row].size() != count)
          return fail(ErrorKind::kInvalid,
                      std::to_string(target.values[row].size()) + " labels for " + std::to_string(count) +
                          " parts of the item",
                      table_.where(row, target.name));
      for (std::size_t p = 0; p < count; ++p) places_.emplace_back(i, p);
    }
    return {};
  }

  Result<std::vector<std::uint32_t>> item_groups() {
    std::vector<std::uint32_t> groups;
    std::map<std::string, std::uint32_t> numbers;
    for (std::size_t i = 0; i < examples_.rows.size(); ++i) {
      std::string key = std::to_string(i);
      if (f_.split == "scaffold") {
        const std::size_t row = examples_.rows[i];
        auto scaffold = scaffold_of(table_.rows[row].get(f_.input).as_string());
        if (!scaffold) {
          scaffold.error().where = table_.where(row, f_.input);
          return forward_error(scaffold);
        }
        key = std::move(*scaffold);
      }
      groups.push_back(
          numbers.emplace(std::move(key), static_cast<std::uint32_t>(numbers.size())).first->second);
    }
    groups_ = numbers.size();
    return groups;
  }

  // Which examples judge in the end, and the folds of the others.
  Status divide() {
    const std::size_t n = places_.size();
    aside_.assign(n, false);
    if (f_.split == "random") {
      if (f_.test_share > 0) aside_ = hold_aside(n, f_.test_share, seed());
      return {};
    }
    CONSORT_TRY(of_items, item_groups());
    std::vector<std::uint32_t> groups;
    for (const auto& [item, part] : places_) groups.push_back(of_items[item]);
    if (f_.test_share > 0) {
      aside_ = f_.split == "scaffold" ? hold_groups_aside(groups, f_.test_share) : drawn_groups(groups);
    }
    std::vector<std::uint32_t> fitted;
    for (std::size_t e = 0; e < n; ++e)
      if (!aside_[e]) fitted.push_back(groups[e]);
    const std::vector<int> folds = assign_group_folds(fitted, f_.folds, seed());
    folds_.assign(n, 0);
    for (std::size_t e = 0, next = 0; e < n; ++e)
      if (!aside_[e]) folds_[e] = folds[next++];
    return {};
  }

  std::vector<bool> drawn_groups(const std::vector<std::uint32_t>& groups) const {
    const std::vector<bool> drawn = hold_aside(groups_, f_.test_share, seed());
    std::vector<bool> aside;
    for (const std::uint32_t group : groups) aside.push_back(drawn[group]);
    return aside;
  }

  Selection select(const TargetColumn& target, bool aside) const {
    Selection chosen;
    const std::size_t d = examples_.dimension;
    for (std::size_t e = 0; e < places_.size(); ++e) {
      const auto& [item, part] = places_[e];
      const std::vector<double>& values = target.values[examples_.rows[item]];
      if (aside_[e] != aside || values.empty() || std::isnan(values[part])) continue;
      const auto first = examples_.embeddings[item].begin() + static_cast<std::ptrdiff_t>(part * d);
      chosen.embeddings.insert(chosen.embeddings.end(), first, first + static_cast<std::ptrdiff_t>(d));
      if (target.kind == ProbeKind::kRidge)
        chosen.numbers.push_back(values[part]);
      else
        chosen.classes.push_back(static_cast<std::int32_t>(values[part]));
      if (!folds_.empty() && !aside) chosen.folds.push_back(folds_[e]);
    }
    return chosen;
  }

  Status fit() {
    std::size_t total = 0, done = 0;
    for (const TargetColumn& target : targets_)
      total += static_cast<std::size_t>(f_.folds) *
               (target.labels.size() > 2 ? target.labels.size() : std::size_t{1});
    Progress progress(c_.console, "fit", "folds");
    for (const TargetColumn& target : targets_) {
      ProbeOptions options;
      options.kind = target.kind;
      options.folds = f_.folds;
      options.seed = seed();
      if (!f_.penalties.empty()) options.penalties = f_.penalties;
      options.stop = [&] {
        progress.update(done++, total);
        return c_.stop.stop_requested();
      };
      CONSORT_CHECK_OK(fit_target(target, options));
    }
    progress.update(total, total);
    return {};
  }

  Status fit_target(const TargetColumn& target, const ProbeOptions& options) {
    const Selection seen = select(target, false), judging = select(target, true);
    const ProbeData data = seen.data(target, examples_.dimension);
    auto fitted = fit_probe(data, options);
    if (!fitted) {
      fitted.error().where = table_.file + ", column '" + target.name + "'";
      return forward_error(fitted);
    }
    fitted->probe.target = target.name;
    TargetReport report;
    report.kind = target.kind;
    report.examples = data.examples();
    report.missing = places_.size() - seen.data(target, examples_.dimension).examples() -
                     judging.data(target, examples_.dimension).examples();
    report.classes = class_counts(target.labels, seen.classes);
    report.cross_validation = scores_value(target.kind, fitted->held_out, seen.classes, target.labels.size());
    if (!judging.embeddings.empty()) {
      const ProbeData test = judging.data(target, examples_.dimension);
      CONSORT_TRY(scores, score_probe(fitted->probe, test));
      report.test = scores_value(target.kind, scores, judging.classes, target.labels.size())
                        .with("examples", test.examples());
    }
    reports_.push_back(target_value(fitted->probe, report));
    file_.heads.push_back(std::move(fitted->probe));
    return {};
  }

  Value report_value() const {
    Value::Array models, failures;
    for (const ProbeEncoder& e : examples_.encoders)
      models.push_back(Value::object({{"model", e.model}, {"digest", e.digest}, {"dimension", e.dimension}}));
    for (const RowFailure& failure : examples_.failures)
      if (failures.size() < kShownFailures)
        failures.push_back(Value::object({{"row", failure.row + 1}, {"error", failure.error.line()}}));
    Value::Object split{
        {"by", f_.split}, {"folds", f_.folds}, {"seed", seed()}, {"test_share", f_.test_share}};
    if (f_.split == "scaffold") split.emplace_back("scaffolds", groups_);
    return Value::object({{"models", Value::array(std::move(models))},
                          {"input", items_.kind},
                          {"level", f_.level},
                          {"length", f_.length},
                          {"rows", table_.rows.size()},
                          {"embedded", examples_.rows.size()},
                          {"examples", places_.size()},
                          {"unlabelled", unlabelled_},
                          {"truncated", examples_.truncated},
                          {"left_out", examples_.failures.size()},
                          {"failures", Value::array(std::move(failures))},
                          {"split", Value::object(std::move(split))},
                          {"targets", Value::array(reports_)},
                          {"mean", mean_scores(reports_)}});
  }

  CliContext& c_;
  const ProbeFitFlags& f_;
  ItemColumn items_;
  DataTable table_;
  std::vector<TargetColumn> targets_;
  Examples examples_;
  std::size_t unlabelled_ = 0, groups_ = 0;
  std::vector<std::pair<std::size_t, std::size_t>> places_;  // item and part of each example
  std::vector<bool> aside_;                                  // of each example: held aside as test
  std::vector<int> folds_;                                   // of each example; empty: drawn by fit_probe
  ProbeFile file_;
  Value::Array reports_;
};

}  // namespace

Result<int> run_probe_fit(CliContext& context, const ProbeFitFlags& flags) {
  return ProbeFitCommand(context, flags).run();
}

}  // namespace consort
