// Commands that answer item by item: lines are gathered into blocks, so that a block is one request and the
// model sees many items at once; answers come in the order of the input.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "protocols/cli/context.h"

namespace consort {

inline constexpr std::size_t kBlockItems = 128;
// The longest line that is read. As values of JSON its numbers take up to fifty times as much.
inline constexpr std::size_t kMostLineBytes = std::size_t{64} << 20;

// Lines of standard input, which knows whether another one is there already.
class InputLines {
 public:
  // Waits; false at the end. A line above kMostLineBytes is read past and comes as its beginning.
  bool next(std::string& line);
  bool too_long() const { return too_long_; }  // the last line was
  bool ready();                                // next() would not wait

 private:
  bool fill();
  void skip_line();
  std::string buffer_;
  std::size_t at_ = 0;
  bool ended_ = false, too_long_ = false;
};

tl::unexpected<Error> line_too_long(const std::string& where);

using ItemAnswers = std::vector<Result<Value>>;

// Prints one line for each entry of a block: an item's answer, or {"error": problem} and sets `status` to 3.
// `answers` belong to the entries that are items, in their order. `head`: what stands in front of the answer
// in the line of the entry at this place of the block; empty: nothing.
template <typename Item>
void print_block(CliContext& context, const std::vector<Result<Item>>& block, ItemAnswers answers,
                 int& status, const std::function<Value::Object(std::size_t place)>& head = {}) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const Result<Value> answer =
        block[i] ? std::move(answers[next++]) : Result<Value>(tl::unexpected<Error>(block[i].error()));
    if (!answer) status = 3;
    Value line = answer ? *answer : Value::object({{"error", problem_value(answer.error())}});
    if (head) {
      Value::Object whole = head(i);
      for (const auto& member : line.as_object()) whole.push_back(member);
      line = Value::object(std::move(whole));
    }
    context.console.json_line(line);
  }
}

// The items of a block that could be read. They are moved out; what stays tells read ones from others.
template <typename Item>
std::vector<Item> items_of(std::vector<Result<Item>>& block) {
  std::vector<Item> out;
  for (auto& entry : block)
    if (entry) out.push_back(std::move(*entry));
  return out;
}

// Standard input as JSON Lines. `read` makes an item of a line, `answer` answers those of a block. What stood
// in the pipe together is a block; nothing waits for a block to be full. Errors: those of `answer` as a
// whole, kCancelled.
template <typename Item>
Result<int> answer_lines(CliContext& context,
                         const std::function<Result<Item>(const Value& line, const std::string& where)>& read,
                         const std::function<Result<ItemAnswers>(std::vector<Item>)>& answer) {
  std::vector<Result<Item>> block;
  int status = 0;
  const auto flush = [&]() -> Status {
    std::vector<Item> items = items_of(block);
    ItemAnswers answers;
    if (!items.empty()) {
      CONSORT_TRY(given, answer(std::move(items)));
      answers = std::move(given);
    }
    print_block(context, block, std::move(answers), status);
    block.clear();
    return {};
  };
  InputLines lines;
  std::string text;
  for (std::size_t number = 1; lines.next(text); ++number) {
    if (context.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted", "standard input");
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = "line " + std::to_string(number);
    auto line = lines.too_long() ? Result<Value>(line_too_long(where)) : parse_json(text, where);
    block.push_back(line ? read(*line, where) : forward_error(line));
    if (block.size() >= kBlockItems || !lines.ready()) CONSORT_CHECK_OK(flush());
  }
  CONSORT_CHECK_OK(flush());
  return status;
}

}  // namespace consort
