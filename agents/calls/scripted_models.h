// Models for tests that answer by a rule: they sit on the bus like real hosts, so calls go the whole way
// through handles and messages. Only tests include it.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "scheduler/host/model_client.h"
#include "scheduler/host/model_directory.h"
#include "scheduler/host/model_host.h"
#include "scheduler/host/test_channel.h"
#include "scheduler/host/wire.h"
#include "scheduler/workflow/task_handler.h"

namespace consort::mock {

struct Rule {
  std::function<std::string(const GenerateRequest&)> write;  // the text
  std::function<double(const Prompt&, const std::string& candidate)> log_likelihood;
  std::optional<Error> failure;  // every request fails with it
  // Sessions of bytes: [257] behind a text; a text's failure may be thrown as an Error.
  std::function<std::vector<double>(const std::string& text)> next_byte;
  std::function<FuseResult(const FuseRequest&)> fuse;
  // Probabilities of the next strings behind a text ("": the end); failures as above.
  std::function<std::map<std::string, double>(const std::string& text)> next_string;
};

// Remembers what every model was asked, in the order of arrival.
class ScriptedModels final : public ModelDirectory {
 public:
  explicit ScriptedModels(Channel& channel) : channel_(channel), client_(*ModelClient::create(channel)) {}

  void add(const std::string& id, Rule rule) {
    auto& seat = seats_[id];
    seat.rule = std::move(rule);
    seat.endpoint = *channel_.attach(model_address(id), [this, id](Message m) { answer(id, std::move(m)); });
  }
  Async<ModelHandle> acquire(std::string id, RequestContext) override {
    if (!seats_.contains(id)) co_return fail(ErrorKind::kNotFound, "no such model", id);
    co_return ModelHandle(client_, id);
  }
  std::vector<GenerateRequest> written(const std::string& id) {
    std::lock_guard lock(mutex_);
    return seats_[id].written;
  }
  std::vector<ScoreRequest> scored(const std::string& id) {
    std::lock_guard lock(mutex_);
    return seats_[id].scored;
  }

  std::vector<OpenBytesRequest> opened(const std::string& id) {
    std::lock_guard lock(mutex_);
    return seats_[id].opened;
  }
  std::vector<NextTokensRequest> looked_up(const std::string& id) {
    std::lock_guard lock(mutex_);
    return seats_[id].looked_up;
  }
  int open_sessions(const std::string& id) {
    std::lock_guard lock(mutex_);
    return seats_[id].open;
  }

 private:
  struct Seat {
    Rule rule;
    std::unique_ptr<Endpoint> endpoint;
    std::vector<GenerateRequest> written;
    std::vector<ScoreRequest> scored;
    std::vector<OpenBytesRequest> opened;
    std::vector<NextTokensRequest> looked_up;
    int open = 0;
    std::vector<std::string> strands;  // of the one session
  };

  static NextBytesResult bytes_of(const Seat& seat, std::size_t path) {
    NextBytesResult result;
    for (std::size_t left = path; left-- > 0;) {
      const std::string& text = seat.strands.front();
      const auto p = seat.rule.next_byte(text.substr(0, text.size() - left));
      result.path.insert(result.path.end(), p.begin(), p.end());
    }
    result.session = "s";
    for (const std::string& text : seat.strands) {
      const auto p = seat.rule.next_byte(text);
      result.distributions.insert(result.distributions.end(), p.begin(), p.end());
      result.logprobs_nats.push_back(0);
      result.kept.push_back(1);
    }
    result.forwards = 7;
    result.usage.prompt_tokens = 10;
    return result;
  }

  // Only one session a model.
  static void bytes(Seat& seat, const WireRequest& request, Message& reply) {
    std::size_t path = 0;  // bytes of the step whose rows are wanted
    if (request.op == "open_bytes") {
      seat.opened.push_back(*read_open_bytes_request(request.request));
      seat.strands = {""};
      ++seat.open;
    } else {
      const NextBytesRequest asked = *read_next_bytes_request(request.request);
      std::vector<std::string> next;
      for (const StrandStep& step : asked.steps) {
        std::string text = seat.strands.at(static_cast<std::size_t>(step.from));
        text.resize(text.size() - static_cast<std::size_t>(step.back));
        next.push_back(text + step.bytes);
        path = asked.path ? step.bytes.size() : 0;
      }
      seat.strands = std::move(next);
      seat.open -= asked.close ? 1 : 0;
    }
    try {
      reply.body = to_wire(bytes_of(seat, path), reply.tensors);
    } catch (const Error& error) {
      reply.type = MessageType::kError;
      reply.body = to_wire(error);
    }
  }

  // A string without a probability of its own has that of the longest one that begins it, as tokens do.
  static NextTokensResult strings_of(const Seat& seat, const NextTokensRequest& asked) {
    std::string text;
    for (const std::string& piece : asked.pieces) text += piece;
    const std::map<std::string, double> all = seat.rule.next_string(text);
    NextTokensResult result;
    for (const auto& [bytes, p] : all) result.top.push_back({bytes, std::log(p)});
    std::stable_sort(result.top.begin(), result.top.end(), [](const NextString& a, const NextString& b) {
      return a.logprob_nats > b.logprob_nats;
    });
    result.top.resize(std::min(result.top.size(), static_cast<std::size_t>(asked.top)));
    for (const std::string& wanted : asked.wanted) {
      double p = 0;
      for (const auto& [bytes, own] : all)
        if (wanted == bytes || (!bytes.empty() && wanted.compare(0, bytes.size(), bytes) == 0)) p = own;
      result.wanted_logprobs.push_back(std::log(p));
    }
    result.full = text.size() >= 40;
    result.usage.prompt_tokens = 10;
    result.usage.cached_tokens = asked.top > 0 ? 9 : 10;
    return result;
  }

  static void strings(Seat& seat, const WireRequest& request, Message& reply) {
    seat.looked_up.push_back(*read_next_tokens_request(request.request));
    try {
      reply.body = to_wire(strings_of(seat, seat.looked_up.back()), reply.tensors);
    } catch (const Error& error) {
      reply.type = MessageType::kError;
      reply.body = to_wire(error);
    }
  }

  void answer(const std::string& id, Message m) {
    if (m.type != MessageType::kRequest) return;
    std::lock_guard lock(mutex_);
    Seat& seat = seats_[id];
    Message reply;
    reply.type = MessageType::kResponse;
    reply.to = m.from;
    reply.correlation = m.id;
    auto request = read_wire_request(m.body);
    EXPECT_TRUE(request.has_value());
    if (seat.rule.failure) {
      reply.type = MessageType::kError;
      reply.body = to_wire(*seat.rule.failure);
    } else if (request->op == "open_bytes" || request->op == "next_bytes") {
      bytes(seat, *request, reply);
    } else if (request->op == "fuse") {
      reply.body = to_wire(seat.rule.fuse(*read_fuse_request(request->request)), reply.tensors);
    } else if (request->op == "next_tokens") {
      strings(seat, *request, reply);
    } else if (request->op == "generate") {
      seat.written.push_back(*read_generate_request(request->request));
      GenerateResult result;
      result.text = seat.rule.write(seat.written.back());
      result.finish_reason = "stop";
      result.logprob_nats = -static_cast<double>(result.text.size());
      result.usage.prompt_tokens = 10;
      result.usage.completion_tokens = 2;
      reply.body = to_wire(result, reply.tensors);
    } else {
      seat.scored.push_back(*read_score_request(request->request));
      const ScoreRequest& asked = seat.scored.back();
      ScoreResult result;
      for (const std::string& c : asked.candidates)
        result.candidates.push_back({seat.rule.log_likelihood(asked.prompt, c), 1, c.size()});
      result.usage.prompt_tokens = 10;
      reply.body = to_wire(result, reply.tensors);
    }
    EXPECT_TRUE(seat.endpoint->send(std::move(reply)).has_value());
  }

  Channel& channel_;
  std::shared_ptr<ModelClient> client_;
  std::mutex mutex_;
  std::map<std::string, Seat> seats_;
};

// Runs one call to its end, as the runner does.
inline Result<TaskOutcome> act(TaskHandler& handler, TaskContext& context, const Value& with) {
  boost::asio::io_context io;
  std::optional<Result<TaskOutcome>> outcome;
  boost::asio::co_spawn(io, handler.run(context, with),
                        [&](std::exception_ptr e, Result<TaskOutcome> result) {
                          EXPECT_FALSE(e);
                          outcome = std::move(result);
                        });
  io.run();
  return std::move(*outcome);
}

}  // namespace consort::mock
