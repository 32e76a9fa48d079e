#include "protocols/cli/commands/ensemble_mixture.h"

namespace consort {

void add_mixture_flags(Command sub, MixtureFlags& f) {
  sub.add_option("--pool", f.pool, "byteMixture: bayes (default), linear, log, contrast or proxy")
      .one_of({"bayes", "linear", "log", "contrast", "proxy"});
  sub.add_option("--alpha", f.alpha, "byteMixture, bayes: share dealt out anew at every byte (default 0.005)")
      .in_range(0.0, 1.0);
  sub.add_option("--prune", f.prune, "byteMixture: what may be given up at a byte (default 0.001)")
      .in_range(0.0, 0.5);
  sub.add_flag("--all-cuts", f.all_cuts,
               "byteMixture: also cuts into tokens that the tokenizers would not make (slower)");
  sub.add_option("--max-bytes", f.max_bytes, "byteMixture: at most this many bytes (default 512)")
      .in_range(1, 65536);
  sub.add_option("--beams", f.beams, "byteMixture, temperature 0: texts followed at once (default 1)")
      .in_range(1, 64);
  sub.add_option("--heal", f.heal, "byteMixture, raw prompts: tokens at the end to cover anew (default 0)")
      .in_range(0, 16);
  sub.add_option("--drafter", f.drafter,
                 "byteMixture: this member drafts bytes, the others verify them in one pass (speculation)");
  sub.add_option("--draft-bytes", f.draft_bytes, "with --drafter: drafted at once, at most (default 16)")
      .in_range(1, 128);
  sub.add_option("--accept", f.accept, "with --drafter: ratio (default), or same: a seed's text does not change")
      .one_of({"ratio", "same"});
  sub.add_option("--signals-at", f.signals_at, "byteMixture: report the signals at these byte counts too")
      .delimiter(',')
      .in_range(1, 65536);
}

Value mixture_options(const MixtureFlags& f, bool trajectory) {
  Value out = Value::object();
  if (!f.pool.empty()) out = out.with("pool", f.pool);
  if (f.alpha) out = out.with("alpha", *f.alpha);
  if (f.prune) out = out.with("prune", *f.prune);
  if (f.all_cuts) out = out.with("canonical", false);
  if (f.max_bytes) out = out.with("maxBytes", *f.max_bytes);
  if (f.beams) out = out.with("beams", *f.beams);
  if (f.heal) out = out.with("heal", *f.heal);
  if (trajectory) out = out.with("trajectory", true);
  if (f.drafter.empty() && !f.draft_bytes && f.accept.empty()) return out;
  Value speculate = Value::object();
  if (!f.drafter.empty()) speculate = speculate.with("drafter", f.drafter);
  if (f.draft_bytes) speculate = speculate.with("bytes", *f.draft_bytes);
  if (!f.accept.empty()) speculate = speculate.with("accept", f.accept);
  out = out.with("speculate", std::move(speculate));
  return out;
}

bool any_given(const MixtureFlags& f) {
  return mixture_options(f, false).size() > 0 || !f.signals_at.empty();
}

}  // namespace consort
