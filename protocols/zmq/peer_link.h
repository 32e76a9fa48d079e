// PeerLink: the connection of this process's switch to others over ipc: a ROUTER that listens, or a DEALER
// that joins. One thread owns the socket. Addresses are announced both ways; messages become frames
// (wire_frames.h).
#pragma once

#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "protocols/zmq/switch.h"
#include "protocols/zmq/wire_frames.h"
#include "protocols/zmq/zmq_channel.h"

namespace consort::zmq {

class PeerLink final : public AddressListener {
 public:
  static Result<std::unique_ptr<PeerLink>> listen(std::shared_ptr<Switch> bus, const std::string& address,
                                                  const ZmqOptions& options);
  static Result<std::unique_ptr<PeerLink>> join(std::shared_ptr<Switch> bus, const std::string& address,
                                                const ZmqOptions& options,
                                                std::chrono::milliseconds patience);
  ~PeerLink() override;  // says goodbye, takes the peers' addresses off the bus, joins the thread

  const std::string& address() const { return address_; }
  std::size_t peers() const { return peer_count_.load(); }
  void address_changed(const std::string& address, bool added, const AddressListener* origin,
                       const std::string& peer) override;

 private:
  using Clock = std::chrono::steady_clock;
  // What other threads ask of the link's thread.
  struct Item {
    enum class Kind { kMessage, kAdded, kRemoved, kStop } kind = Kind::kMessage;
    std::string peer;     // kMessage: to whom; kAdded, kRemoved: whom to leave out (empty: nobody)
    std::string address;  // kAdded, kRemoved
    Message message;
  };
  struct Pending {
    std::string from, to;  // of a request that a peer has not answered yet
  };
  struct Peer {
    Clock::time_point heard, told;    // last traffic each way
    std::set<std::string> addresses;  // attached through it
    std::unordered_map<std::string, Pending> pending;
    std::deque<std::string> pending_order;                // oldest first; bounds `pending`
    std::deque<Message> backlog;                          // waits for room on the socket, in order
    std::map<std::string, std::set<std::string>> talked;  // its address -> addresses here that it wrote to
  };
  using Peers = std::map<std::string, Peer>;

  PeerLink(std::shared_ptr<Switch> bus, std::string address, const ZmqOptions& options, bool listens);
  Status start(Socket wire);
  void post(std::unique_ptr<Item> item);

  // The link's thread.
  void run();
  bool take_items();  // false: stop
  void handle_item(Item& item);
  void take_frames();
  void handle_frames(std::vector<std::shared_ptr<Frame>> frames);
  void handle_control(const std::string& route, const Message& message);
  void handle_message(const std::string& route, Peer& peer, Message message);
  void handle_malformed(const std::string& route, const WireFrames& frames, const Error& error);
  void greet(const std::string& route, const Message& hello);
  void replace_addresses(const std::string& route, Peer& peer, const Value& list);
  void change_addresses(const std::string& route, Peer& peer, const Value& body);
  void add_address(const std::string& route, Peer& peer, const std::string& address);
  void remove_address(const std::string& route, Peer& peer, const std::string& address);
  void forward(const std::string& route, Message message);
  void give_back(const std::string& route, Message message, const Error& error);
  void flush_backlogs();
  bool backlogged() const;
  void remember_pending(Peer& peer, const Message& request);
  void drop_peer(Peers::iterator peer, const std::string& why);
  void tick();
  Status transmit(const std::string& route, const Message& message);
  void control(const std::string& route, MessageType type, Value body);
  void say_hello();
  Value address_list(const Peer* to) const;
  void deliver(Message message);

  const std::shared_ptr<Switch> bus_;
  const std::string address_, inbox_address_, process_;
  const ZmqOptions options_;
  const bool listens_;
  std::unique_ptr<Outlet> to_bus_;   // the link's thread
  std::unique_ptr<Outlet> to_link_;  // everybody
  std::unique_ptr<Socket> wire_, inbox_;
  Peers peers_;
  std::atomic<std::size_t> peer_count_{0};
  Clock::time_point last_hello_{};
  std::promise<Status> welcomed_;
  bool welcome_told_ = false;
  std::thread thread_;
};

}  // namespace consort::zmq
