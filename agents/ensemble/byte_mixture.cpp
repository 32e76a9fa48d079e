#include "agents/ensemble/byte_mixture.h"

#include <stdexcept>

#include "agents/ensemble/ranking.h"
#include "scheduler/schema/schema.h"

namespace consort {
namespace {

constexpr double kFloor = 1e-9;  // log pool: what a member's covers gave up is no veto
constexpr int kDefaultBytes = 512, kDefaultAfter = 16;

const Schema& compiled_schema() {
  static const Schema schema = [] {
    auto made = Schema::compile(byte_mixture_schema());
    if (!made) throw std::logic_error("byteMixture: " + made.error().line());
    return std::move(*made);
  }();
  return schema;
}

int integer_or(const Value& object, std::string_view key, int otherwise) {
  const Value* v = object.find(key);
  return v != nullptr ? static_cast<int>(v->as_integer()) : otherwise;
}

bool flag(const Value& object, std::string_view key) {
  const Value* v = object.find(key);
  return v != nullptr && v->as_bool();
}

void read_number(const Value& object, std::string_view key, double& out) {
  if (const Value* v = object.find(key)) out = v->as_number();
}

std::optional<double> bound(const Value& object, std::string_view key) {
  const Value* v = object.find(key);
  return v != nullptr ? std::optional(v->as_number()) : std::nullopt;
}

Result<std::optional<SpeculationOptions>> read_speculation(const Value& given, ByteSearchOptions& search) {
  const Value* v = given.find("speculate");
  if (v == nullptr) return std::nullopt;
  if (search.beams > 1)
    return fail(ErrorKind::kInvalid, "speculate goes with one text, not with beams", "with/options/speculate");
  SpeculationOptions out;
  if (const Value* name = v->find("drafter")) out.drafter = name->as_string();
  out.bytes = integer_or(*v, "bytes", out.bytes);
  read_number(*v, "least", out.least);
  search.same_draws = v->get("accept") == Value("same");
  return out;
}

}  // namespace

const Value& byte_mixture_schema() {
  static const Value schema = ensemble::embedded_json(
#include "agents/ensemble/byte_mixture/schema.json.inc"
      , "byte_mixture/schema.json");
  return schema;
}

std::string_view combine_rule_name(CombineRule rule) {
  switch (rule) {
    case CombineRule::kBayes: return "bayes";
    case CombineRule::kLinear: return "linear";
    case CombineRule::kLog: return "log";
    case CombineRule::kContrast: return "contrast";
    case CombineRule::kProxy: return "proxy";
  }
  return "";
}

Result<ByteMixtureOptions> read_byte_mixture(const Value& options) {
  const Value given = options.is_null() ? Value::object() : options;
  if (auto valid = compiled_schema().check(given); !valid) {
    Error error = std::move(valid.error());
    error.what = "options of '" + std::string(kByteMixture) + "': " + error.what;
    return tl::unexpected<Error>(std::move(error));
  }
  ByteMixtureOptions out;
  for (const CombineRule rule : {CombineRule::kBayes, CombineRule::kLinear, CombineRule::kLog,
                                 CombineRule::kContrast, CombineRule::kProxy})
    if (given.get("pool") == Value(std::string(combine_rule_name(rule)))) out.search.combiner.rule = rule;
  if (given.find("alpha") != nullptr && out.search.combiner.rule != CombineRule::kBayes)
    return fail(ErrorKind::kInvalid, "alpha belongs to pool: bayes", "with/options/alpha");
  if ((given.find("beta") != nullptr || given.find("cut") != nullptr) &&
      out.search.combiner.rule != CombineRule::kContrast)
    return fail(ErrorKind::kInvalid, "beta and cut belong to pool: contrast", "with/options/beta");
  read_number(given, "alpha", out.search.combiner.alpha);
  read_number(given, "beta", out.search.combiner.beta);
  read_number(given, "cut", out.search.combiner.cut);
  out.search.combiner.floor = kFloor;
  read_number(given, "prune", out.cover.prune);
  out.cover.max_states = integer_or(given, "maxStates", out.cover.max_states);
  out.cover.canonical = given.find("canonical") == nullptr || flag(given, "canonical");
  out.search.max_bytes = integer_or(given, "maxBytes", kDefaultBytes);
  out.search.beams = integer_or(given, "beams", 1);
  out.search.trajectory = flag(given, "trajectory");
  out.heal = integer_or(given, "heal", 0);
  CONSORT_TRY(speculation, read_speculation(given, out.search));
  out.speculation = std::move(speculation);
  if (const Value* doubt = given.find("stopOnDoubt")) {
    if (out.search.beams > 1)
      return fail(ErrorKind::kInvalid, "stopOnDoubt goes with one text, not with beams",
                  "with/options/stopOnDoubt");
    out.search.doubt = DoubtBound{integer_or(*doubt, "after", kDefaultAfter), bound(*doubt, "entropy"),
                                  bound(*doubt, "disagreement"), bound(*doubt, "margin"),
                                  bound(*doubt, "confidence")};
  }
  return out;
}

}  // namespace consort
