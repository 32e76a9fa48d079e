#include "agents/calls/ensemble/doubt_values.h"

#include <algorithm>
#include <utility>

namespace consort::ensemble_call {

Value signals_value(const StepSignals& s, const std::vector<std::string>& wanted) {
  Value::Object out;
  const std::pair<const char*, double> all[] = {{"entropy", s.entropy},
                                                {"margin", s.margin},
                                                {"disagreement", s.disagreement},
                                                {"confidence", s.confidence}};
  for (const auto& [name, value] : all)
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end())
      out.emplace_back(name, value);
  return Value::object(std::move(out));
}

}  // namespace consort::ensemble_call
