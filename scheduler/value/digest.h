// A short name for the content of a Value: equal data, equal digest, whatever the order of its keys.
#pragma once

#include <string>
#include <string_view>

#include "scheduler/value/value.h"

namespace consort {

// JSON text with the keys of every object in byte order; otherwise as write_json().
std::string canonical_json(const Value& v);
// XXH3-128 of canonical_json(), 32 hex digits. Tells results apart; it is no protection against forgery.
std::string value_digest(const Value& v);
// The same of bytes as they are.
std::string bytes_digest(std::string_view bytes);

}  // namespace consort
