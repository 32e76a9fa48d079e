// Which kind an item is for a model, where the caller left it open.
#pragma once

#include "models/network/network.h"
#include "scheduler/host/requests.h"

namespace consort {

bool takes(const NetworkInfo& info, InputKind kind);
// True for the first bytes of a PNG, JPEG, GIF, BMP, TIFF or WebP file.
bool looks_like_picture(std::span<const std::byte> bytes);
// Sets item.kind, and moves the content between text and bytes as that kind wants it (shared, not copied,
// where it can be). Bytes: a picture when the model takes pictures and they begin like one; else a file; else
// a graph when they begin with a brace; else a text or SMILES when they are UTF-8; else whatever the model
// takes first. A text: a text; else SMILES; else a file's content; else a graph. An item whose kind was given
// stays as it is, but bytes of a text kind become its text.
void settle_kind(const NetworkInfo& info, ModelInput& item);

}  // namespace consort
