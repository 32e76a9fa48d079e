#include "models/alphabet/byte_cover.h"

#include <algorithm>
#include <utility>

namespace consort {

ByteCover::Handle ByteCover::restart(std::span<const TokenId> recent) {
  for (const State& s : states_) dropped_.push_back(s.handle);
  states_.clear();
  held_.clear();
  State s;
  s.handle = next_++;
  s.node = vocabulary_.root();
  s.weight = 1;
  s.recent.assign(
      recent.end() - static_cast<std::ptrdiff_t>(std::min(recent.size(), CanonicalFilter::kWindow)),
      recent.end());
  states_.push_back(std::move(s));
  return states_.back().handle;
}

void ByteCover::supply(Handle handle, TokenMasses masses) {
  for (State& s : states_)
    if (s.handle == handle) s.masses = std::make_shared<const TokenMasses>(std::move(masses));
}

bool ByteCover::ready() const {
  return std::all_of(states_.begin(), states_.end(), [](const State& s) { return s.masses != nullptr; });
}

double ByteCover::open_mass(const State& s) const {
  if (s.node.depth == 0) return s.masses->mass(s.node) + s.masses->end();
  return s.masses->range(vocabulary_.complete(s.node), s.node.end);
}

// What `s` becomes behind `byte`: itself with the longer tokens, and a fork for each token that is complete.
void ByteCover::branch(const State& s, std::uint8_t byte, std::vector<Candidate>& out, Step& step) const {
  const TrieNode child = vocabulary_.child(s.node, byte);
  const double open = open_mass(s);
  if (child.empty() || !(open > 0)) return;
  const double unit = s.weight / open;
  const std::uint32_t complete = vocabulary_.complete(child);
  const OwnToken* next =
      s.held >= 0 && s.held < static_cast<int>(held_.size()) ? &held_[static_cast<std::size_t>(s.held)] : nullptr;
  for (std::uint32_t place = child.begin; place < complete; ++place) {
    const double weight = unit * s.masses->token(place);
    if (!(weight > 0)) continue;
    step.probability += weight;
    const TokenId token = vocabulary_.token(place);
    const bool held = next != nullptr && next->id == token;
    if (!held && filter_ != nullptr && !filter_->allows(s.recent, token)) {
      step.not_canonical += weight;
      continue;
    }
    Candidate fork;
    fork.state.node = vocabulary_.root();
    fork.state.weight = weight;
    fork.state.handle = s.handle;  // of the parent until it is kept
    fork.state.recent = s.recent;
    fork.state.held = held ? s.held + 1 : -1;
    fork.token = token;
    fork.held = held;
    out.push_back(std::move(fork));
  }
  const double longer = unit * s.masses->range(complete, child.end);
  if (!(longer > 0)) return;
  step.probability += longer;
  Candidate rest{s, -1, next != nullptr && child.depth < next->bytes};
  rest.state.node = child;
  rest.state.weight = longer;
  out.push_back(std::move(rest));
}

// Lightest first; of equal ones the younger goes. A fork costs a forward pass, a state that goes on costs
// nothing: the bound is spent on forks, but for a small part.
void ByteCover::prune(std::vector<Candidate>& all, Step& step) {
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    if (a.state.weight != b.state.weight) return a.state.weight > b.state.weight;
    return std::pair(a.state.handle, a.token) < std::pair(b.state.handle, b.token);
  });
  constexpr double kOfStates = 0.05;
  const double allowed = options_.prune * step.probability;
  double room_of_forks = (1 - kOfStates) * allowed, room_of_states = kOfStates * allowed, given_up = 0;
  std::size_t left = all.size();
  const auto most = static_cast<std::size_t>(options_.max_states);
  for (std::size_t i = all.size(); i-- > 0 && left > 1;) {
    if (all[i].held) continue;
    const double weight = all[i].state.weight;
    double& room = all[i].token >= 0 ? room_of_forks : room_of_states;
    if (weight > room && i < most) continue;  // the heaviest `most` stay where the bound does not take them
    room -= weight;
    given_up += weight;
    all[i].state.weight = 0;
    --left;
  }
  std::erase_if(all, [](const Candidate& c) { return !(c.state.weight > 0); });
  step.pruned = given_up / step.probability;
  step.not_canonical /= step.probability;
}

ByteCover::Step ByteCover::consume(std::uint8_t byte, std::vector<Fork>& forks) {
  Step step;
  std::vector<Candidate> all;
  for (const State& s : states_) branch(s, byte, all, step);
  std::vector<State> before = std::exchange(states_, {});
  if (step.probability > 0 && !all.empty())
    prune(all, step);
  else
    step.probability = 0;  // the filter may have left nothing
  double sum = 0;
  if (step.probability > 0)
    for (const Candidate& c : all) sum += c.state.weight;
  for (Candidate& c : all) {
    if (!(sum > 0)) break;
    State s = std::move(c.state);
    s.weight /= sum;
    if (c.token >= 0) {
      const Handle parent = std::exchange(s.handle, next_++);
      s.recent.push_back(c.token);
      if (s.recent.size() > CanonicalFilter::kWindow) s.recent.erase(s.recent.begin());
      forks.push_back({parent, s.handle, c.token});
    }
    states_.push_back(std::move(s));
  }
  for (const State& s : before)
    if (std::none_of(states_.begin(), states_.end(), [&](const State& t) { return t.handle == s.handle; }))
      dropped_.push_back(s.handle);
  return step;
}

ByteCover::Distribution ByteCover::distribution() const {
  Distribution p{};
  for (const State& s : states_) {
    const double open = open_mass(s);
    if (!(open > 0)) continue;
    const double unit = s.weight / open;
    if (s.node.depth == 0) p[kEndSymbol] += unit * s.masses->end();
    std::uint32_t at = vocabulary_.complete(s.node);
    while (at < s.node.end) {
      const auto byte = static_cast<unsigned char>(vocabulary_.bytes(at)[s.node.depth]);
      const TrieNode child = vocabulary_.child(s.node, byte);
      p[byte] += unit * s.masses->mass(child);
      at = child.end;
    }
  }
  double sum = 0;
  for (const double v : p) sum += v;
  if (sum > 0)
    for (double& v : p) v /= sum;
  return p;
}

}  // namespace consort
