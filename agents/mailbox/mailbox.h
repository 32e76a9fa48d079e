// Mailboxes: where the agents of a run get their letters and keep their conversations. An agent has the
// address "agent/<run>/<name>" on the bus; a letter is a request there and counts as delivered when it has
// been answered. What a turn changes is also given as store writes, so that a resumed run goes on where it
// was.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "memory/store/store_write.h"
#include "models/tokenizer/chat_template.h"
#include "scheduler/bus/channel.h"

namespace consort {

class Store;

inline constexpr const char* kMailFamily = "agent_mail";  // column family of the store

// `turn` names the turn that did something: the same for every attempt of one task, so that a repeated turn
// replaces what the failed one left.
struct Letter {
  std::string turn;  // of the sender; with `from` it identifies the letter
  std::string from, text;
  std::uint64_t number = 0;  // counts the letters of this mailbox
  std::string read_in;       // turn of the receiver that read it; empty: unread
};
struct Remark {
  std::string turn;
  ChatMessage message;
};

std::string agent_address(const std::string& run, const std::string& agent);

// One agent of one run. Thread-safe: letters come in on the channel's thread, turns on the run's strand.
class Mailbox {
 public:
  ~Mailbox();  // leaves the bus
  Mailbox(const Mailbox&) = delete;

  const std::string& agent() const { return agent_; }
  // What the agent said and was told before `turn`.
  std::vector<ChatMessage> conversation(const std::string& turn) const;
  // Letters that are unread or were read by an earlier attempt of `turn`; by sender, then by arrival, so that
  // the order does not depend on which of two concurrent senders was quicker.
  std::vector<Letter> waiting(const std::string& turn) const;
  // Ends a turn: `said` joins the conversation, the letters in `read` are read. Returns the store writes.
  std::vector<StoreWrite> finish(const std::string& turn, std::vector<ChatMessage> said,
                                 const std::vector<Letter>& read);
  // The store write that keeps a letter which this mailbox has got. Empty list: there is no such letter.
  std::vector<StoreWrite> keep(const std::string& from, const std::string& turn) const;

  struct Inside;  // private to this room

 private:
  friend class Mailboxes;
  Mailbox(std::string run, std::string agent);
  std::string key(char kind, const std::string& rest) const;

  const std::string run_, agent_;
  std::shared_ptr<Inside> inside_;
  std::unique_ptr<Endpoint> endpoint_;
};

// All mailboxes of a process. Thread-safe. Keeps the mailboxes of the runs used last; older ones leave the
// bus and are read from the store again when they are needed.
class Mailboxes {
 public:
  // `store` may be null: then letters live as long as the process.
  Mailboxes(Channel& channel, Store* store) : channel_(channel), store_(store) {}

  // The mailbox of an agent, from the store when this process does not have it yet. Blocks (reads the store).
  // Errors: kIo, kCorrupt (a record that cannot be read), kInvalid (address: name not printable, too long).
  Result<std::shared_ptr<Mailbox>> open(const std::string& run, const std::string& agent);
  std::size_t runs() const;

 private:
  Status load(Mailbox& mailbox);
  void touch(const std::string& run);  // REQUIRES: mutex_

  Channel& channel_;
  Store* const store_;
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, std::shared_ptr<Mailbox>>> runs_;
  std::list<std::string> used_;  // runs, the latest first
};

inline constexpr std::size_t kRunsWithMailboxes = 256;

}  // namespace consort
