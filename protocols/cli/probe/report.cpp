#include "protocols/cli/probe/report.h"

#include <utility>

#include <fmt/format.h>

namespace consort {
namespace {

// "RMSE 1.021, MAE 0.790, R2 0.761", or a classifier's.
std::string score_text(const Value& scores) {
  if (scores.find("rmse") != nullptr)
    return fmt::format("RMSE {:.3f}, MAE {:.3f}, R2 {:.3f}", scores.get("rmse").as_number(),
                       scores.get("mae").as_number(), scores.get("r2").as_number());
  std::string text = fmt::format("accuracy {:.3f}, log loss {:.3f}", scores.get("accuracy").as_number(),
                                 scores.get("log_loss").as_number());
  if (scores.get("auc").is_number()) text += fmt::format(", AUROC {:.3f}", scores.get("auc").as_number());
  return text;
}

std::string target_text(const Probe& head, const Value& target) {
  std::string text = fmt::format("{}: {}", head.target, head.kind == ProbeKind::kRidge ? "number" : "");
  for (std::size_t i = 0; i < head.labels.size(); ++i) text += (i > 0 ? " | " : "") + head.labels[i];
  text += fmt::format(", penalty {}\n", head.penalty);
  if (target.is_null()) return text;
  text += fmt::format("   {} examples fitted, {} without a label\n", target.get("examples").as_integer(),
                      target.get("missing").as_integer());
  text += "   cross-validation: " + score_text(target.get("cross_validation")) + "\n";
  if (const Value* test = target.find("test"))
    text += fmt::format("   held aside ({} examples): {}\n", test->get("examples").as_integer(),
                        score_text(*test));
  return text;
}

}  // namespace

Value class_counts(const std::vector<std::string>& labels, const std::vector<std::int32_t>& classes) {
  if (labels.empty()) return {};
  std::vector<std::size_t> counts(labels.size(), 0);
  for (const std::int32_t c : classes) ++counts[static_cast<std::size_t>(c)];
  Value::Object out;
  for (std::size_t i = 0; i < labels.size(); ++i) out.emplace_back(labels[i], counts[i]);
  return Value::object(std::move(out));
}

Value scores_value(ProbeKind kind, const ProbeScores& scores, const std::vector<std::int32_t>& classes,
                   std::size_t labels) {
  if (kind == ProbeKind::kRidge)
    return Value::object({{"rmse", scores.rmse}, {"mae", scores.mae}, {"r2", scores.r2}});
  bool seen[2] = {false, false};
  for (const std::int32_t c : classes) seen[c == 0 ? 0 : 1] = true;
  const bool has_auc = labels == 2 && seen[0] && seen[1];
  return Value::object({{"accuracy", scores.accuracy},
                        {"log_loss", scores.log_loss},
                        {"auc", has_auc ? Value(scores.auc) : Value()}});
}

Value target_value(const Probe& probe, const TargetReport& report) {
  Value::Object out{{"target", probe.target},
                    {"kind", report.kind == ProbeKind::kRidge ? "ridge" : "logistic"},
                    {"penalty", probe.penalty},
                    {"examples", report.examples},
                    {"missing", report.missing}};
  if (!report.classes.is_null()) out.emplace_back("classes", report.classes);
  out.emplace_back("cross_validation", report.cross_validation);
  if (!report.test.is_null()) out.emplace_back("test", report.test);
  return Value::object(std::move(out));
}

Value mean_scores(const Value::Array& targets) {
  Value::Object out;
  for (const char* part : {"cross_validation", "test"}) {
    Value::Object means;
    for (const char* score : {"rmse", "auc"}) {
      double sum = 0;
      int count = 0;
      for (const Value& target : targets)
        if (const Value v = target.get(part).get(score); v.is_number()) {
          sum += v.as_number();
          ++count;
        }
      if (count > 0) means.emplace_back(score, sum / count);
    }
    if (!means.empty()) out.emplace_back(part, Value::object(std::move(means)));
  }
  return Value::object(std::move(out));
}

std::string probe_report_text(const ProbeFile& file, const Value& report) {
  std::string text;
  for (const ProbeEncoder& encoder : file.encoders)
    text += fmt::format("{} ({} values, weights {})\n", encoder.model, encoder.dimension,
                        encoder.digest.empty() ? "unknown" : encoder.digest.substr(0, 12));
  text += fmt::format("of {} by {}", file.level == "part" ? "parts of an item" : "an item", file.input_kind);
  if (const Value split = report.get("split"); split.is_object())
    text += fmt::format("; {} folds, split by {}, seed {}", split.get("folds").as_integer(),
                        split.get("by").as_string(), split.get("seed").as_integer());
  text += "\n";
  const Value targets = report.get("targets");
  for (std::size_t i = 0; i < file.heads.size(); ++i)
    text += target_text(file.heads[i], i < targets.size() ? targets.as_array()[i] : Value());
  return text;
}

}  // namespace consort
