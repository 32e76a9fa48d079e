// The older Encoder interface over a Network of texts, for callers that still tokenise by themselves.
#pragma once

#include <memory>

#include "models/model.h"
#include "models/network/network.h"

namespace consort::bert {

std::unique_ptr<Encoder> adapt_encoder(std::unique_ptr<Network> network);

}  // namespace consort::bert
