#include <algorithm>
#include <set>
#include <utility>

#include "agents/evaluation/task/task.h"
#include "scheduler/schema/schema.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

constexpr std::string_view kSchemaText =
#include "agents/evaluation/task/task.schema.json.inc"
    ;

// The schema of one of the document's definitions.
Schema compiled(std::string_view definition) {
  const Value whole = *parse_json(kSchemaText, "task.schema.json");
  return *Schema::compile(
      Value::object({{"$ref", "#/$defs/" + std::string(definition)}, {"$defs", whole.get("$defs")}}));
}

std::string text_or(const Value& v, std::string_view key, std::string otherwise = {}) {
  const Value* found = v.find(key);
  return found != nullptr && found->is_string() ? found->as_string() : std::move(otherwise);
}

int integer_or(const Value& v, std::string_view key, int otherwise) {
  const Value* found = v.find(key);
  return found != nullptr ? static_cast<int>(found->as_number()) : otherwise;
}

std::vector<std::string> texts_of(const Value& v, std::string_view key) {
  std::vector<std::string> out;
  if (const Value* list = v.find(key))
    for (const Value& text : list->as_array()) out.push_back(text.as_string());
  return out;
}

// Four wordings where there may be several, so that a control of up to four times one member's compute needs
// no header.
std::vector<std::string> default_prompts(TaskKind kind) {
  switch (kind) {
    case TaskKind::kChoices:
      return {"Question: {question}\nAnswer:", "{question}\nAnswer:", "Q: {question}\nA:",
              "Here is a question and its answer.\n{question}\nThe answer is:"};
    case TaskKind::kAnswer:
      return {"{question}"};
    case TaskKind::kText:
      return {"{text}", "The following text was found in a file.\n\n{text}", "[...]\n{text}",
              "Here is a document, complete and unchanged:\n\n{text}"};
    case TaskKind::kPairs:
    case TaskKind::kRetrieval:
      return {"{text}", "query: {text}", "Sentence: {text}", "Meaning of the text: {text}"};
    default:
      return {"{text}"};
  }
}

class Reader {
 public:
  explicit Reader(std::string folder) { out_.task.folder = std::move(folder); }

  TaskReading read(std::string_view lines, std::string_view header) {
    out_.task.digest = bytes_digest(std::string(header) + "\n" + std::string(lines));
    bool ready = header.empty() ? false : read_header(header, 0);
    if (!header.empty() && !ready) return std::move(out_);
    for (std::size_t number = 1; !lines.empty() && room(); ++number) {
      const std::size_t end = lines.find('\n');
      const std::string_view line = lines.substr(0, end);
      lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      if (ready)
        read_item(line, number);
      else if (!(ready = read_header(line, number)))
        return std::move(out_);
    }
    if (!ready) find(0, "", "the file is empty: its first line must be the header");
    if (ready && room()) finish();
    return std::move(out_);
  }

 private:
  bool room() const { return out_.findings.size() < kMostTaskFindings; }
  void find(std::size_t line, std::string pointer, std::string message) {
    if (room()) out_.findings.push_back({line, std::move(pointer), std::move(message)});
  }

  // The line as a value that keeps the schema, or a finding.
  std::optional<Value> checked(std::string_view line, std::size_t number, const Schema& schema) {
    auto value = parse_json(line, "line " + std::to_string(number));
    if (!value) {
      find(number, "", "no JSON: " + value.error().what);
      return std::nullopt;
    }
    const auto findings = schema.validate(*value, 10);
    for (const SchemaFinding& f : findings) find(number, f.instance, f.message);
    if (!findings.empty()) return std::nullopt;
    return std::move(*value);
  }

  bool read_header(std::string_view line, std::size_t number) {
    const auto v = checked(line, number, compiled("header"));
    if (!v) return false;
    Task& t = out_.task;
    t.name = text_or(*v, "task");
    t.kind = *task_kind(text_or(*v, "kind"));
    t.description = text_or(*v, "description");
    t.licence = text_or(*v, "licence");
    t.source = text_or(*v, "source");
    t.prompts = texts_of(*v, "prompts");
    if (t.prompts.empty()) t.prompts = default_prompts(t.kind);
    if (t.kind == TaskKind::kText && !check_lead_ins(number)) return false;
    t.separator = text_or(*v, "separator", " ");
    t.per_byte = text_or(*v, "score", "sum") == "perByte";
    t.chat = v->get("chat") == Value(true);
    t.answer = *answer_kind(text_or(*v, "answer", "text"));
    t.max_tokens = integer_or(*v, "maxTokens", 256);
    t.stop = texts_of(*v, "stop");
    t.context = integer_or(*v, "context", 0);
    t.pieces = text_or(*v, "pieces", "bytes") == "tokens" ? TextPieces::kTokens : TextPieces::kBytes;
    t.labels = texts_of(*v, "labels");
    labels_given_ = !t.labels.empty();
    const std::string head = text_or(*v, "head", "knn");
    t.head = head == "knn"        ? LabelHead::kNeighbours
             : head == "centroid" ? LabelHead::kCentroid
                                  : LabelHead::kProbe;
    t.neighbours = integer_or(*v, "neighbours", 10);
    item_schema_.emplace(compiled(task_kind_name(t.kind)));
    return true;
  }

  // A text is scored as it is, so that a wording can only stand in front of it; the task's own is the text.
  bool check_lead_ins(std::size_t number) {
    const std::vector<std::string>& prompts = out_.task.prompts;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const auto lead = lead_in(prompts[i]);
      if (lead && (i > 0 || lead->empty())) continue;
      find(number, "/prompts/" + std::to_string(i),
           i == 0 ? "the first wording of a text is '{text}' alone"
                  : "a wording of a text ends with {text} and has it once");
      return false;
    }
    return true;
  }

  void read_item(std::string_view line, std::size_t number) {
    const auto v = checked(line, number, *item_schema_);
    if (!v) return;
    TaskItem item;
    item.line = number;
    item.split = text_or(*v, "split");
    item.group = text_or(*v, "group");
    item.id = text_or(*v, "id", "line-" + std::to_string(number));
    const bool good = fill(*v, item);
    if (out_.task.kind == TaskKind::kRetrieval && v->find("doc") != nullptr) return;
    if (!ids_.insert(item.id).second) find(number, id_pointer(), "another item is called '" + item.id + "'");
    if (good) out_.task.items.push_back(std::move(item));
  }

  std::string id_pointer() const { return out_.task.kind == TaskKind::kRetrieval ? "/query" : "/id"; }

  bool fill(const Value& v, TaskItem& item) {
    switch (out_.task.kind) {
      case TaskKind::kChoices:
        return fill_choices(v, item);
      case TaskKind::kAnswer:
        return fill_answer(v, item);
      case TaskKind::kText:
        return fill_text(v, item);
      case TaskKind::kLabels:
        return fill_labels(v, item);
      case TaskKind::kPairs:
        return fill_pair(v, item);
      case TaskKind::kRetrieval:
        return fill_retrieval(v, item);
    }
    return false;
  }

  bool fill_choices(const Value& v, TaskItem& item) {
    item.text = text_or(v, "question");
    item.options = texts_of(v, "options");
    const Value gold = v.get("gold");
    if (gold.is_string()) {
      const auto at = std::find(item.options.begin(), item.options.end(), gold.as_string());
      item.gold = static_cast<std::size_t>(at - item.options.begin());
    } else {
      const double place = std::min(gold.as_number(), static_cast<double>(item.options.size()));
      item.gold = static_cast<std::size_t>(place);
    }
    if (item.gold < item.options.size()) return true;
    find(item.line, "/gold", "names none of the " + std::to_string(item.options.size()) + " options");
    return false;
  }

  bool fill_answer(const Value& v, TaskItem& item) {
    item.text = text_or(v, "question");
    item.options = texts_of(v, "options");
    const Value gold = v.get("gold");
    const CanonicalAnswer read = canonical_answer(
        out_.task.answer, gold.is_string() ? gold.as_string() : write_json(gold), item.options);
    if (!read.parsed) find(item.line, "/gold", "cannot be read as the task's kind of answer: " + read.reason);
    item.gold_text = read.value;
    return read.parsed;
  }

  bool fill_text(const Value& v, TaskItem& item) {
    item.from_file = v.find("file") != nullptr;
    item.text = text_or(v, item.from_file ? "file" : "text");
    return true;
  }

  bool fill_labels(const Value& v, TaskItem& item) {
    constexpr std::pair<const char*, LabelInput> kInputs[] = {{"text", LabelInput::kText},
                                                              {"image", LabelInput::kImage},
                                                              {"file", LabelInput::kFile},
                                                              {"smiles", LabelInput::kSmiles}};
    for (const auto& [key, input] : kInputs)
      if (v.find(key) != nullptr) {
        item.text = text_or(v, key);
        item.input = input;
      }
    item.gold_text = text_or(v, "gold");  // becomes an index when all labels are known
    return true;
  }

  bool fill_pair(const Value& v, TaskItem& item) {
    item.text = text_or(v, "a");
    item.other = text_or(v, "b");
    const Value gold = v.get("gold");
    item.gold_number = gold.is_bool() ? (gold.as_bool() ? 1.0 : 0.0) : gold.as_number();
    return true;
  }

  bool fill_retrieval(const Value& v, TaskItem& item) {
    if (v.find("doc") != nullptr) {
      TaskDocument doc{text_or(v, "doc"), text_or(v, "text")};
      if (!documents_.insert(doc.id).second)
        find(item.line, "/doc", "another document is called '" + doc.id + "'");
      out_.task.documents.push_back(std::move(doc));
      return true;
    }
    item.id = text_or(v, "query");
    item.text = text_or(v, "text");
    const Value relevant = v.get("relevant");
    if (relevant.is_array())
      for (const Value& name : relevant.as_array()) item.relevant[name.as_string()] = 1;
    else
      for (const auto& [name, grade] : relevant.as_object()) item.relevant[name] = grade.as_number();
    return true;
  }

  // What can be said only when every line was read.
  void finish() {
    Task& t = out_.task;
    if (t.items.empty() && out_.findings.empty()) find(0, "", "the file has a header but no items");
    if (t.kind == TaskKind::kRetrieval) check_relevant();
    if (t.kind != TaskKind::kLabels) return;
    if (!labels_given_) {
      std::set<std::string> seen;
      for (const TaskItem& item : t.items) seen.insert(item.gold_text);
      t.labels.assign(seen.begin(), seen.end());
      if (t.labels.size() < 2 && out_.findings.empty()) find(0, "", "the items name fewer than two labels");
    }
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < t.labels.size(); ++i) places[t.labels[i]] = i;
    for (TaskItem& item : t.items) {
      const auto at = places.find(item.gold_text);
      if (at == places.end())
        find(item.line, "/gold", "'" + item.gold_text + "' is none of the header's labels");
      else
        item.gold = at->second;
    }
  }

  void check_relevant() {
    if (out_.task.documents.empty() && room()) find(0, "", "the file has no documents to search");
    for (const TaskItem& item : out_.task.items)
      for (const auto& [name, grade] : item.relevant)
        if (!documents_.contains(name))
          find(item.line, "/relevant", "the file has no document '" + name + "'");
  }

  TaskReading out_;
  std::optional<Schema> item_schema_;
  std::set<std::string> ids_, documents_;
  bool labels_given_ = false;
};

}  // namespace

TaskReading read_task(std::string_view lines, std::string_view header, std::string folder) {
  return Reader(std::move(folder)).read(lines, header);
}

}  // namespace consort
