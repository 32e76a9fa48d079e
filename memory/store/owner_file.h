// The file OWNER beside a store's files: which process has it open. Only for messages; the lock itself is
// RocksDB's LOCK file, so a stale OWNER never keeps anybody out.
#pragma once

#include <optional>
#include <string>

namespace consort {

struct StoreOwner {
  long pid = 0;
  std::string host, since;  // since: UTC, ISO 8601
  // "process 4711 on harbour since 2026-01-02T03:04:05Z"
  std::string text() const;
};

StoreOwner this_process();
// Best effort: a store without an OWNER file is as good as one with it.
void write_owner_file(const std::string& directory, const StoreOwner& owner);
// nullopt when there is none or it is not one of ours.
std::optional<StoreOwner> read_owner_file(const std::string& directory);
void remove_owner_file(const std::string& directory);

}  // namespace consort
