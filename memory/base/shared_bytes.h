// SharedBytes: bytes that never change and whoever keeps them alive. Copies share; nothing is copied.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace consort {

struct SharedBytes {
  std::span<const std::byte> view;
  std::shared_ptr<const void> owner;

  // Takes the text's memory over.
  static SharedBytes of(std::string text) {
    auto held = std::make_shared<const std::string>(std::move(text));
    return {std::as_bytes(std::span(held->data(), held->size())), held};
  }
  std::string_view text() const { return {reinterpret_cast<const char*>(view.data()), view.size()}; }
  std::size_t size() const { return view.size(); }
};

}  // namespace consort
