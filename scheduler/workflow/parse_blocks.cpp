#include <set>

#include "scheduler/workflow/parser.h"

namespace consort::workflow {

void Parser::parse_do(ObjectReader& reader, Task& task) {
  task.kind = "do";
  DoTask act;
  if (const Value* tasks = reader.require("do")) act.block = parse_block(*tasks, reader.at("do"));
  task.act = std::move(act);
}

void Parser::parse_fork(ObjectReader& reader, Task& task) {
  task.kind = "fork";
  ForkTask act;
  const Value* fork = reader.require("fork");
  if (!fork) return;
  ObjectReader inner(findings_, *fork, reader.at("fork"));
  act.compete = inner.boolean("compete").value_or(false);
  if (auto most = inner.integer("maxConcurrency", 1, 100'000))
    act.max_concurrency = static_cast<std::uint32_t>(*most);
  const auto quorum = inner.integer("quorum", 1, 100'000);
  if (const Value* branches = inner.require("branches")) {
    Block all = parse_block(*branches, inner.at("branches"));
    for (Task& branch : all.tasks) {
      if (branch.then.where == Then::Where::kTask)
        report(pointer_join(branch.pointer, "then"),
               "branches of a fork run side by side: there is no next one");
      act.names.push_back(branch.name);
      Block block;
      block.pointer = branch.pointer;
      block.tasks.push_back(std::move(branch));
      act.branches.push_back(std::move(block));
    }
  }
  if (quorum) {
    act.quorum = static_cast<std::uint32_t>(*quorum);
    if (act.compete) inner.report("quorum", "does not go with compete: the first to succeed decides");
    if (*act.quorum > act.branches.size()) inner.report("quorum", "is more than there are branches");
  }
  task.act = std::move(act);
}

void Parser::parse_for(ObjectReader& reader, Task& task) {
  task.kind = "for";
  ForTask act;
  const std::size_t depth = names_.size();
  const Value* loop = reader.require("for");
  if (!loop) return;
  ObjectReader inner(findings_, *loop, reader.at("for"));
  act.each = inner.text("each").value_or("item");
  act.at = inner.text("at").value_or("index");
  if (inner.has("each")) local_name(act.each, inner.at("each"));
  if (inner.has("at")) local_name(act.at, inner.at("at"));
  if (act.each == act.at) inner.report("at", "names the same variable as 'each'");
  act.in = formula(inner.take("in"), inner.at("in"));
  if (act.in && act.in->is_constant() && inner.has("in") && !act.in->source().is_array() &&
      !act.in->source().is_null())
    inner.report("in", "must give an array");
  // The extensions of `for` may stand inside it or beside it, as `while` and `do` do.
  const auto place = [&](std::string_view key) -> ObjectReader& {
    if (inner.has(key) && reader.has(key)) inner.report(key, "stands beside `for` too");
    return inner.has(key) ? inner : reader;
  };
  if (auto most = place("maxConcurrency").integer("maxConcurrency", 1, 100'000))
    act.max_concurrency = static_cast<std::uint32_t>(*most);
  if (auto most = place("toleratedFailureCount").integer("toleratedFailureCount", 0, 1'000'000'000))
    act.tolerated_failures = static_cast<std::uint64_t>(*most);
  if (auto limit = inner.integer("limit", 1, 1'000'000'000)) act.limit = static_cast<std::uint64_t>(*limit);
  if (act.limit == 0) act.limit = task.limit;
  names_.push_back(act.each);
  names_.push_back(act.at);
  ObjectReader& while_place = place("while");
  act.while_ = condition(while_place.take("while"), while_place.at("while"));
  const bool has_while = while_place.has("while");
  if (has_while && act.limit == 0)
    reader.report("'while' needs a 'limit' of iterations: the loop is unbounded");
  if (!has_while && !inner.has("in"))
    inner.report("needs 'in' or 'while' with 'limit': the loop is unbounded");
  if (has_while && act.max_concurrency > 1)
    report(while_place.at("while"),
           "does not go with maxConcurrency above 1: each test follows an iteration");
  if (const Value* tasks = reader.require("do")) act.block = parse_block(*tasks, reader.at("do"));
  names_.resize(depth);
  task.act = std::move(act);
}

void Parser::parse_try(ObjectReader& reader, Task& task) {
  task.kind = "try";
  TryTask act;
  if (task.retry) reader.report("retry", "a try has its retry inside catch");
  if (const Value* tasks = reader.require("try")) act.block = parse_block(*tasks, reader.at("try"));
  if (const Value* caught = reader.require("catch")) parse_catch(*caught, reader.at("catch"), act);
  task.act = std::move(act);
}

void Parser::parse_catch(const Value& value, const std::string& pointer, TryTask& act) {
  ObjectReader reader(findings_, value, pointer);
  if (const Value* errors = reader.take("errors")) {
    ObjectReader outer(findings_, *errors, reader.at("errors"));
    if (const Value* with = outer.require("with")) {
      ObjectReader fields(findings_, *with, outer.at("with"));
      act.filter.type = fields.text("type");
      act.filter.title = fields.text("title");
      act.filter.instance = fields.text("instance");
      act.filter.detail = fields.text("detail");
      act.filter.status = fields.integer("status", 100, 599);
    }
  }
  if (std::optional<std::string> as = reader.text("as"); as && local_name(*as, reader.at("as"))) act.as = *as;
  const std::size_t depth = names_.size();
  names_.push_back(act.as);
  act.when = condition(reader.take("when"), reader.at("when"));
  act.except_when = condition(reader.take("exceptWhen"), reader.at("exceptWhen"));
  if (const Value* retry = reader.take("retry")) act.retry = parse_retry(*retry, reader.at("retry"));
  if (const Value* tasks = reader.take("do")) act.handler = parse_block(*tasks, reader.at("do"));
  names_.resize(depth);
}

}  // namespace consort::workflow
