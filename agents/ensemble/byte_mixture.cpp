#include "agents/ensemble/byte_mixture.h"

#include "agents/ensemble/options_schema.h"
#include "agents/ensemble/pool_options.h"
#include "agents/ensemble/ranking.h"

namespace consort {
namespace {

// Of a text that is written; over 2,000 bytes it changed the code by less than 0.0005 bits a byte (golden_bytes_test).
constexpr double kPrune = 3e-3;
constexpr double kFloor = 1e-9;  // log pool: what a member's covers gave up is no veto
constexpr int kDefaultBytes = 512, kDefaultAfter = 16;

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

Result<ByteMixtureOptions> read_byte_mixture(const Value& options) {
  static const OptionsSchema schema(kByteMixture, byte_mixture_schema());
  CONSORT_TRY(given, schema.check(options));
  ByteMixtureOptions out;
  CONSORT_TRY(combiner, read_pool(given));
  out.search.combiner = std::move(combiner);
  out.search.combiner.floor = kFloor;
  out.cover.prune = kPrune;
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
