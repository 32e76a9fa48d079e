// The other process of process_test.cpp.
//   bus_child ADDRESS
// Joins the bus at ADDRESS and serves "model/echo" (answers with body and tensors), "model/silent" (never
// answers) and "model/cube" (numbers computed here) until it is killed, "model/quit" is written to, or 30 s
// have passed.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "protocols/zmq/zmq_channel.h"

namespace consort {
namespace {

Status serve(const char* address) {
  CONSORT_TRY(channel, ZmqChannel::create());
  std::unique_ptr<Endpoint> echo, cube;
  std::atomic<bool> leave{false};
  CONSORT_TRY(echo_made, channel->attach("model/echo", [&](Message m) {
    m.type = MessageType::kResponse;
    m.to = m.from;
    m.correlation = std::exchange(m.id, {});
    (void)echo->send(std::move(m));
  }));
  echo = std::move(echo_made);
  CONSORT_TRY(silent, channel->attach("model/silent", [](Message) {}));
  CONSORT_TRY(cube_made, channel->attach("model/cube", [&](Message m) {
    const TensorView in = m.tensors[0].view;
    auto out = std::make_shared<std::vector<float>>(static_cast<std::size_t>(in.elements()));
    for (std::size_t i = 0; i < out->size(); ++i) (*out)[i] = std::sin(in.as<float>()[i]) * 1e-3f;
    Message answer;
    answer.type = MessageType::kResponse;
    answer.to = m.from;
    answer.correlation = m.id;
    answer.tensors.push_back({"out", make_view(out->data(), DType::kF32, {in.elements()}), out});
    (void)cube->send(std::move(answer));
  }));
  cube = std::move(cube_made);
  CONSORT_TRY(quit, channel->attach("model/quit", [&](Message) { leave = true; }));
  CONSORT_CHECK_OK(channel->join(address));  // last: nothing is asked of what is not there yet
  for (int i = 0; i < 30'000 && !leave; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return {};
}

}  // namespace
}  // namespace consort

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const consort::Status served = consort::serve(arguments[1]);
  if (!served) std::fprintf(stderr, "%s\n", served.error().line().c_str());
  return served ? 0 : 1;
}
