#include "scheduler/host/wait_on.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <future>
#include <memory>

namespace consort {

void run_all(boost::asio::io_context& io, std::vector<boost::asio::awaitable<void>> tasks) {
  std::vector<std::future<void>> ends;
  for (auto& task : tasks) {
    const auto done = std::make_shared<std::promise<void>>();
    ends.push_back(done->get_future());
    boost::asio::co_spawn(io, std::move(task), [done](std::exception_ptr thrown) {
      if (thrown)
        done->set_exception(thrown);
      else
        done->set_value();
    });
  }
  for (const auto& end : ends) end.wait();
  for (auto& end : ends) end.get();
}

}  // namespace consort
