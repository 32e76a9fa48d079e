#include "agents/mailbox/mailbox.h"

#include <algorithm>

#include <fmt/format.h>

#include "memory/store/store.h"
#include "scheduler/host/wire.h"
#include "scheduler/value/value.h"

namespace consort {
namespace {

constexpr char kSeparator = '\x1f';  // no run id or agent name holds it: addresses are printable

Value letter_value(const Letter& l) {
  return Value::object(
      {{"turn", l.turn}, {"from", l.from}, {"text", l.text}, {"number", l.number}, {"readIn", l.read_in}});
}
Value remark_value(const Remark& r) {
  return Value::object({{"turn", r.turn}, {"role", r.message.role}, {"content", r.message.content}});
}

Result<std::string> text_of_member(const Value& v, const char* key) {
  const Value* found = v.find(key);
  if (found == nullptr || !found->is_string())
    return fail(ErrorKind::kCorrupt, fmt::format("a mail record has no text '{}'", key));
  return found->as_string();
}

Result<Letter> read_letter(const Value& v) {
  Letter l;
  CONSORT_TRY(turn, text_of_member(v, "turn"));
  CONSORT_TRY(from, text_of_member(v, "from"));
  CONSORT_TRY(text, text_of_member(v, "text"));
  l.turn = std::move(turn);
  l.from = std::move(from);
  l.text = std::move(text);
  if (const Value* n = v.find("number"); n != nullptr && n->is_integer())
    l.number = static_cast<std::uint64_t>(n->as_integer());
  if (const Value* r = v.find("readIn"); r != nullptr && r->is_string()) l.read_in = r->as_string();
  return l;
}

Result<Remark> read_remark(const Value& v) {
  CONSORT_TRY(turn, text_of_member(v, "turn"));
  CONSORT_TRY(role, text_of_member(v, "role"));
  CONSORT_TRY(content, text_of_member(v, "content"));
  return Remark{std::move(turn), ChatMessage{std::move(role), std::move(content)}};
}

}  // namespace

struct Mailbox::Inside {
  mutable std::mutex mutex;
  std::vector<Remark> conversation;
  std::vector<Letter> letters;
  std::uint64_t next_number = 0;
  Endpoint* endpoint = nullptr;

  void take(const Message& m);
  void put(Letter letter);
};

// REQUIRES: mutex. A letter of the same sender and turn is replaced: its sender's task was repeated.
void Mailbox::Inside::put(Letter letter) {
  for (Letter& known : letters) {
    if (known.from != letter.from || known.turn != letter.turn) continue;
    known.text = std::move(letter.text);
    return;
  }
  letter.number = next_number++;
  letters.push_back(std::move(letter));
}

void Mailbox::Inside::take(const Message& m) {
  if (m.type != MessageType::kRequest) return;
  Message answer;
  answer.to = m.from;
  answer.correlation = m.id;
  auto letter = read_letter(m.body);
  std::lock_guard lock(mutex);
  if (letter) {
    put(std::move(*letter));
    answer.type = MessageType::kResponse;
    answer.body = Value::object({{"letters", static_cast<std::uint64_t>(letters.size())}});
  } else {
    answer.type = MessageType::kError;
    answer.body = to_wire(letter.error());
  }
  if (endpoint != nullptr) (void)endpoint->send(std::move(answer));  // no answer: the sender's call times out
}

std::string agent_address(const std::string& run, const std::string& agent) {
  return "agent/" + run + "/" + agent;
}

Mailbox::Mailbox(std::string run, std::string agent)
    : run_(std::move(run)), agent_(std::move(agent)), inside_(std::make_shared<Inside>()) {}

Mailbox::~Mailbox() {
  {
    std::lock_guard lock(inside_->mutex);
    inside_->endpoint = nullptr;
  }
  endpoint_.reset();
}

std::string Mailbox::key(char kind, const std::string& rest) const {
  return run_ + kSeparator + agent_ + kSeparator + kind + kSeparator + rest;
}

std::vector<ChatMessage> Mailbox::conversation(const std::string& turn) const {
  std::lock_guard lock(inside_->mutex);
  std::vector<ChatMessage> list;
  for (const Remark& remark : inside_->conversation)
    if (remark.turn != turn) list.push_back(remark.message);
  return list;
}

std::vector<Letter> Mailbox::waiting(const std::string& turn) const {
  std::lock_guard lock(inside_->mutex);
  std::vector<Letter> list;
  for (const Letter& letter : inside_->letters)
    if (letter.read_in.empty() || letter.read_in == turn) list.push_back(letter);
  std::stable_sort(list.begin(), list.end(), [](const Letter& a, const Letter& b) {
    return a.from != b.from ? a.from < b.from : a.number < b.number;
  });
  return list;
}

std::vector<StoreWrite> Mailbox::finish(const std::string& turn, std::vector<ChatMessage> said,
                                        const std::vector<Letter>& read) {
  std::lock_guard lock(inside_->mutex);
  std::vector<StoreWrite> writes;
  auto& talk = inside_->conversation;
  std::erase_if(talk, [&](const Remark& remark) { return remark.turn == turn; });
  for (ChatMessage& message : said) {
    writes.push_back({kMailFamily, key('c', fmt::format("{:08}", talk.size())), {}, false});
    talk.push_back({turn, std::move(message)});
    writes.back().value = write_json(remark_value(talk.back()));
  }
  for (Letter& known : inside_->letters) {
    const bool was_read =
        std::any_of(read.begin(), read.end(), [&](const Letter& l) { return l.number == known.number; });
    if (!was_read) continue;
    known.read_in = turn;
    writes.push_back(
        {kMailFamily, key('l', fmt::format("{:08}", known.number)), write_json(letter_value(known)), false});
  }
  return writes;
}

std::vector<StoreWrite> Mailbox::keep(const std::string& from, const std::string& turn) const {
  std::lock_guard lock(inside_->mutex);
  for (const Letter& known : inside_->letters)
    if (known.from == from && known.turn == turn)
      return {{kMailFamily, key('l', fmt::format("{:08}", known.number)), write_json(letter_value(known)),
               false}};
  return {};
}

namespace {

// A stored record; what cannot be read names the mailbox that it belongs to.
template <typename T>
Result<T> read_record(std::string_view bytes, const Mailbox& mailbox, Result<T> (*read)(const Value&)) {
  Result<Value> value = parse_json(bytes);
  Result<T> record = value ? read(*value) : Result<T>(tl::unexpected(value.error()));
  if (record) return record;
  return fail(ErrorKind::kCorrupt, "a damaged mail record: " + record.error().what,
              "mailbox of " + mailbox.agent(), "take the store from a backup, or start the run again");
}

}  // namespace

// ---- all mailboxes ----------------------------------------------------------------------------------------

Status Mailboxes::load(Mailbox& mailbox) {
  if (store_ == nullptr) return {};
  CONSORT_CHECK_OK(store_->ensure_family(kMailFamily));
  const std::string remarks = mailbox.key('c', ""), letters = mailbox.key('l', "");
  auto cursor = store_->scan(kMailFamily, remarks);
  for (; cursor.valid(); cursor.next()) {
    CONSORT_TRY(remark, read_record(cursor.value(), mailbox, read_remark));
    mailbox.inside_->conversation.push_back(std::move(remark));
  }
  CONSORT_CHECK_OK(cursor.status());
  auto mail = store_->scan(kMailFamily, letters);
  for (; mail.valid(); mail.next()) {
    CONSORT_TRY(letter, read_record(mail.value(), mailbox, read_letter));
    mailbox.inside_->next_number = std::max(mailbox.inside_->next_number, letter.number + 1);
    mailbox.inside_->letters.push_back(std::move(letter));
  }
  return mail.status();
}

void Mailboxes::touch(const std::string& run) {
  used_.remove(run);
  used_.push_front(run);
  while (used_.size() > kRunsWithMailboxes) {
    runs_.erase(used_.back());
    used_.pop_back();
  }
}

Result<std::shared_ptr<Mailbox>> Mailboxes::open(const std::string& run, const std::string& agent) {
  std::lock_guard lock(mutex_);
  touch(run);
  auto& of_run = runs_[run];
  if (const auto at = of_run.find(agent); at != of_run.end()) return at->second;
  std::shared_ptr<Mailbox> mailbox(new Mailbox(run, agent));
  CONSORT_CHECK_OK(load(*mailbox));
  std::weak_ptr<Mailbox::Inside> inside = mailbox->inside_;
  auto endpoint = channel_.attach(agent_address(run, agent), [inside](Message m) {
    if (auto held = inside.lock()) held->take(m);
  });
  if (!endpoint) return forward_error(endpoint);
  mailbox->endpoint_ = std::move(*endpoint);
  {
    std::lock_guard inside_lock(mailbox->inside_->mutex);
    mailbox->inside_->endpoint = mailbox->endpoint_.get();
  }
  of_run.emplace(agent, mailbox);
  return mailbox;
}

std::size_t Mailboxes::runs() const {
  std::lock_guard lock(mutex_);
  return runs_.size();
}

}  // namespace consort
