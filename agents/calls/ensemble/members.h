// The options of `call: ensemble` as the rest of the call uses them. Private to this folder.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agents/ensemble/strategy.h"
#include "scheduler/host/model_handle.h"
#include "scheduler/workflow/task_handler.h"
#include "scheduler/value/value.h"

namespace consort::ensemble_call {

// One member, in declared order.
struct Member {
  std::string name, model, instructions;
  std::optional<std::string> prompt;  // in place of the call's
  bool plain_template = false;
  double weight = 1;
  Value generation;  // options of call, agent and member, the later over the earlier
};

// One text that stands for election, and who brought it.
struct Candidate {
  std::string text;
  std::vector<std::string> from;
};

struct Plan {
  std::string task, strategy;
  Value strategy_options;
  PredictionNeed need = PredictionNeed::kAnswers;
  MemberPolicy policy;
  std::vector<Member> members;
  std::vector<Candidate> candidates;  // given ones, or the choices
  bool propose = true;                // members write answers or candidates
  Value view;                         // object with prompt or messages: what members answer
  Value score_view, contrast_view;    // contrast: null when there is none
  std::optional<std::string> join;
  std::string ending;       // scored behind each candidate
  bool whole_text = false;  // normalise: none
  std::vector<std::string> signals;
  bool mixture = false;         // byteMixture: members write together, there is nothing to combine afterwards
  std::vector<int> signals_at;  // mixture: byte counts
};

// The members with unique names and their weights. Errors: kInvalid (an unknown agent, weights that do not
// fit).
Result<std::vector<Member>> read_members(const Value& with, const Value* agents);

// `with` has passed the schema. Errors: kInvalid (no prompt, an unknown strategy, weights that do not fit,
// options that contradict each other).
Result<Plan> read_plan(const Value& with, const Value* agents);

// What `member` is asked under one of the plan's views: its own prompt counts in place of the plan's main
// view, an agent's instructions go first.
Result<Prompt> member_prompt(const Member& member, const Value& view, bool is_main_view);

// The members' models, all asked for before any is waited for; one result each, in declared order. Context and
// members must outlive the wait.
boost::asio::awaitable<std::vector<Result<ModelHandle>>> acquire_members(ModelDirectory& models,
                                                                         const TaskContext& context,
                                                                         const std::vector<Member>& members);

// Each handle to its member's seat, or the error why there is none.
template <typename Seat>
void take_seats(std::vector<Result<ModelHandle>> handles, std::vector<Seat>& seats) {
  for (std::size_t m = 0; m < seats.size(); ++m)
    if (handles[m])
      seats[m].model = std::move(*handles[m]);
    else
      seats[m].error = std::move(handles[m].error());
}

// The sum, with each member's own under `members`. usage(m): what member m has spent.
Value members_usage(const std::vector<Member>& members, const std::function<Usage(std::size_t)>& usage);

// A request that was not sent because of `error`, among those of the other members.
template <typename T>
Async<T> failed(Error error) {
  co_return tl::unexpected<Error>(std::move(error));
}

// The error as the call's own: it names the member.
Error member_error(Error error, const Member& member);

// Without white space around it.
std::string trimmed(const std::string& text);

// Adds a text, trimmed of white space around it; equal texts are one candidate with several origins. Empty
// texts are left out.
void add_candidate(std::vector<Candidate>& candidates, const std::string& text, const std::string& from);

}  // namespace consort::ensemble_call
