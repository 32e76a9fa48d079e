// A fresh ipc address in a folder of its own, removed afterwards. Only tests include it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace consort {

struct TestAddress {
  TestAddress() {
    std::string pattern = (std::filesystem::temp_directory_path() / "consort-bus-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder = pattern;
    path = pattern + "/bus";
    address = "ipc://" + path;
  }
  ~TestAddress() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  TestAddress(const TestAddress&) = delete;
  std::string folder, path, address;
};

}  // namespace consort
