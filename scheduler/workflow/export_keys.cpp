// What a task exports, as far as the document shows it, and the check that concurrent branches do not export
// one key without a declared reducer.
#include <algorithm>
#include <map>

#include "scheduler/workflow/parser.h"

namespace consort::workflow {
namespace {

// Reads the keys of a jq object construction that is the whole program: `{a: ..., "b": ..., $c, d}`. Anything
// else (a key that is computed, something behind the brace) makes them unknown.
class KeyScanner {
 public:
  explicit KeyScanner(std::string_view text) : text_(text) {}

  bool scan(std::vector<std::string>& keys) {
    skip_space();
    if (!eat('{')) return false;
    skip_space();
    if (!eat('}')) {
      do {
        skip_space();
        if (!key(keys)) return false;
        skip_space();
        if (eat(':') && !skip_value()) return false;
        skip_space();
      } while (eat(','));
      if (!eat('}')) return false;
    }
    skip_space();
    return at_ == text_.size();
  }

 private:
  static bool word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool key(std::vector<std::string>& keys) {
    if (eat('"')) {
      const std::size_t end = text_.find('"', at_);
      if (end == std::string_view::npos) return false;
      std::string_view name = text_.substr(at_, end - at_);
      if (name.find('\\') != std::string_view::npos) return false;  // escapes and interpolation
      keys.emplace_back(name);
      at_ = end + 1;
      return true;
    }
    eat('$');
    const std::size_t begin = at_;
    while (at_ < text_.size() && word(text_[at_])) ++at_;
    if (at_ == begin) return false;
    keys.emplace_back(text_.substr(begin, at_ - begin));
    return true;
  }
  // Up to the ',' or '}' of this object; strings and brackets inside are passed over.
  bool skip_value() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return false;
      } else if (c == '(' || c == '[' || c == '{') {
        ++depth;
      } else if (c == ')' || c == ']' || c == '}') {
        if (depth == 0) return c == '}';
        --depth;
      } else if (c == ',' && depth == 0) {
        return true;
      } else if (c == '#') {
        return false;  // a comment: rare, leave it to the check at run time
      }
    }
    return false;
  }
  // at_ stands on the opening quote; afterwards on the closing one. Interpolation may hold strings of its
  // own.
  bool skip_string() {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') return true;
      if (text_[at_] != '\\') continue;
      ++at_;
      if (at_ < text_.size() && text_[at_] == '(') return false;
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

struct Export {
  std::string key, pointer;
};

void collect(const Task& task, std::vector<Export>& found);

void collect(const Block& block, std::vector<Export>& found) {
  for (const Task& task : block.tasks) collect(task, found);
}

void collect(const Task& task, std::vector<Export>& found) {
  for (const std::string& key : task.export_keys) found.push_back({key, task.export_pointer});
  if (const auto* act = std::get_if<DoTask>(&task.act)) collect(act->block, found);
  if (const auto* act = std::get_if<ForTask>(&task.act)) collect(act->block, found);
  if (const auto* act = std::get_if<ForkTask>(&task.act))
    for (const Block& branch : act->branches) collect(branch, found);
  if (const auto* act = std::get_if<TryTask>(&task.act)) {
    collect(act->block, found);
    if (act->handler) collect(*act->handler, found);
  }
}

class ExportChecker {
 public:
  ExportChecker(const Reducers& reducers, Findings& findings) : reducers_(reducers), findings_(findings) {}

  void block(const Block& block) {
    for (const Task& task : block.tasks) {
      if (const auto* act = std::get_if<DoTask>(&task.act)) this->block(act->block);
      if (const auto* act = std::get_if<ForTask>(&task.act)) loop(*act);
      if (const auto* act = std::get_if<ForkTask>(&task.act)) fork(*act);
      if (const auto* act = std::get_if<TryTask>(&task.act)) {
        this->block(act->block);
        if (act->handler) this->block(*act->handler);
      }
    }
  }

 private:
  void fork(const ForkTask& act) {
    std::map<std::string, std::size_t> first;  // key -> branch that exports it first
    for (std::size_t i = 0; i < act.branches.size(); ++i) {
      block(act.branches[i]);
      if (act.compete) continue;  // only the winner's exports count
      std::vector<Export> exports;
      collect(act.branches[i], exports);
      for (const Export& one : exports) {
        auto [found, fresh] = first.try_emplace(one.key, i);
        if (!fresh && found->second != i)
          refuse(one, "branch '" + act.names[found->second] + "' exports too");
      }
    }
  }
  void loop(const ForTask& act) {
    block(act.block);
    if (act.max_concurrency <= 1) return;
    std::vector<Export> exports;
    collect(act.block, exports);
    for (const Export& one : exports) refuse(one, "other iterations export at the same time");
  }
  void refuse(const Export& one, const std::string& who) {
    if (reducers_.find(one.key) != reducers_.end()) return;
    add_finding(findings_, one.pointer,
                "exports '" + one.key.substr(0, 80) + "', which " + who + ": declare state." +
                    one.key.substr(0, 80) + ".reducer");
  }

  const Reducers& reducers_;
  Findings& findings_;
};

}  // namespace

std::vector<std::string> static_export_keys(const Value& as, bool& known) {
  std::vector<std::string> keys;
  known = true;
  if (as.is_object()) {
    for (const auto& [key, value] : as.as_object()) keys.push_back(key);
    return keys;
  }
  known = false;
  if (!as.is_string()) return keys;
  std::string_view text = as.as_string();
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  if (text.starts_with("${") && text.ends_with("}")) text = text.substr(2, text.size() - 3);
  known = KeyScanner(text).scan(keys);
  if (!known) keys.clear();
  return keys;
}

void check_exports(const Document& document, Findings& findings) {
  ExportChecker(document.reducers, findings).block(document.block);
}

}  // namespace consort::workflow
