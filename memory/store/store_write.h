// StoreWrite: one change of one key. A list of them is the unit of commit of a Store.
#pragma once

#include <string>

namespace consort {

// Sets `key` of column family `family` to `value`, or removes it when `erase` is true (`value` is ignored
// then).
struct StoreWrite {
  std::string family, key, value;
  bool erase = false;
};

}  // namespace consort
