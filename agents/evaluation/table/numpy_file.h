// NumPy's file formats: one array as .npy (format 1.0), several named ones as .npz (a ZIP archive of them).
// The same arrays give the same bytes: entries are stored uncompressed under a fixed date. Source: NumPy
// documentation, numpy.lib.format; PKWARE APPNOTE 6.3.3 (ZIP). Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/base/status.h"

namespace consort {

// The bytes of a .npy file; C order. REQUIRES: the values fill the shape.
std::string npy(std::span<const double> values, const std::vector<std::int64_t>& shape);
std::string npy(std::span<const float> values, const std::vector<std::int64_t>& shape);
std::string npy(std::span<const std::int64_t> values, const std::vector<std::int64_t>& shape);
// One dimension of texts ('<U'); broken UTF-8 becomes U+FFFD.
std::string npy(const std::vector<std::string>& texts);

// {name, npy bytes}... as an .npz. Errors: kInvalid for a name twice, empty or above 200 bytes, or an archive
// above 4 GiB (ZIP without 64-bit fields).
Result<std::string> npz(const std::vector<std::pair<std::string, std::string>>& arrays);

// CRC-32 of ISO 3309, as ZIP has it.
std::uint32_t crc32(std::string_view bytes);

}  // namespace consort
