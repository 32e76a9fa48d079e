// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of bytes in pieces: crc = crc32c(more, crc). Starts at 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace consort::zmq {

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);
std::uint32_t crc32c_by_table(std::span<const std::byte> bytes, std::uint32_t crc = 0);  // any machine

}  // namespace consort::zmq
