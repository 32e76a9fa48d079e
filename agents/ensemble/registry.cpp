// The strategies of this build and the one entry to them.
#include <map>
#include <stdexcept>

#include "agents/ensemble/options_schema.h"
#include "agents/ensemble/strategy.h"

namespace consort {

#define CONSORT_ENTRY(name) const EnsembleStrategy& name##_strategy();
#include "agents/ensemble/registry.inc"
#undef CONSORT_ENTRY

namespace {

// Compiled once.
const OptionsSchema& options_schema_of(const EnsembleStrategy& strategy) {
  static const auto schemas = [] {
    std::map<std::string_view, OptionsSchema> made;
    for (const EnsembleStrategy* each : ensemble_strategies())
      if (!made.try_emplace(each->name(), each->name(), each->options_schema()).second)
        throw std::logic_error("two ensemble strategies are called " + std::string(each->name()));
    return made;
  }();
  return schemas.at(strategy.name());
}

}  // namespace

const std::vector<const EnsembleStrategy*>& ensemble_strategies() {
  static const std::vector<const EnsembleStrategy*> all = {
#define CONSORT_ENTRY(name) &name##_strategy(),
#include "agents/ensemble/registry.inc"
#undef CONSORT_ENTRY
  };
  return all;
}

const EnsembleStrategy* find_ensemble_strategy(std::string_view name) {
  for (const EnsembleStrategy* strategy : ensemble_strategies()) {
    if (strategy->name() == name) return strategy;
  }
  return nullptr;
}

std::string ensemble_strategy_names() {
  std::string names;
  for (const EnsembleStrategy* strategy : ensemble_strategies()) {
    names += (names.empty() ? "" : ", ") + std::string(strategy->name());
  }
  return names;
}

Result<EnsembleResult> combine_predictions(std::string_view strategy, const PredictionTable& table,
                                           const Value& options, const MemberPolicy& policy) {
  const EnsembleStrategy* found = find_ensemble_strategy(strategy);
  if (!found) {
    return fail(ErrorKind::kInvalid, "unknown way to combine members '" + std::string(strategy) + "'", "",
                "use one of: " + ensemble_strategy_names());
  }
  CONSORT_TRY(given, options_schema_of(*found).check(options));
  std::size_t present = 0;
  for (const MemberPrediction& member : table.members) {
    if (!member.error) {
      ++present;
    } else if (!policy.report_errors) {
      Error error = *member.error;
      error.what = "member '" + member.name + "': " + error.what;
      return tl::unexpected<Error>(std::move(error));
    }
  }
  if (present < policy.min_members) {
    return fail(ErrorKind::kUnavailable,
                "only " + std::to_string(present) + " of " + std::to_string(table.members.size()) +
                    " members answered, at least " + std::to_string(policy.min_members) + " must");
  }
  return found->combine(table, given);
}

}  // namespace consort
