// multipleOf on decimal digits: 0.0075 is a multiple of 0.0001 although their doubles are not.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "scheduler/schema/schema_nodes.h"

namespace consort {
namespace {

__extension__ typedef unsigned __int128 Wide;

// digits * 10^exponent, digits below 10^19.
struct Decimal {
  std::uint64_t digits = 0;
  int exponent = 0;
};

Decimal decimal_of(const Value& v) {
  Decimal made;
  if (v.is_integer()) {
    const std::int64_t i = v.as_integer();
    made.digits = i < 0 ? ~static_cast<std::uint64_t>(i) + 1 : static_cast<std::uint64_t>(i);
  } else {
    char text[40];
    const char* end =
        std::to_chars(text, text + sizeof text, std::fabs(v.as_number()), std::chars_format::scientific).ptr;
    bool fraction = false;
    const char* at = text;
    for (; at < end && *at != 'e'; ++at) {
      if (*at == '.') {
        fraction = true;
      } else {
        made.digits = made.digits * 10 + static_cast<std::uint64_t>(*at - '0');
        if (fraction) --made.exponent;
      }
    }
    if (at < end) made.exponent += std::atoi(at + 1);
  }
  while (made.digits != 0 && made.digits % 10 == 0) {
    made.digits /= 10;
    ++made.exponent;
  }
  return made;
}

}  // namespace

bool is_multiple(const Value& value, const Value& of) {
  if (!std::isfinite(value.as_number()) || !std::isfinite(of.as_number())) return false;
  const Decimal a = decimal_of(value), b = decimal_of(of);
  if (a.digits == 0) return true;
  if (b.digits == 0) return false;
  if (a.exponent >= b.exponent) {  // a * 10^k mod b
    Wide rest = a.digits % b.digits;
    for (int k = a.exponent - b.exponent; k > 0 && rest != 0; --k) rest = rest * 10 % b.digits;
    return rest == 0;
  }
  Wide divisor = b.digits;  // b * 10^k divides a; a is below 10^20
  for (int k = b.exponent - a.exponent; k > 0; --k) {
    divisor *= 10;
    if (divisor > a.digits) return false;
  }
  return a.digits % divisor == 0;
}

}  // namespace consort
