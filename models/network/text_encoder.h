// An Encoder behind the Network interface: tokenises texts and cuts them to the encoder's limit.
#pragma once

#include <memory>

#include "models/model.h"
#include "models/network/network.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

// Takes kText. A text longer than the limit keeps its first tokens and its last special one ([SEP]).
std::unique_ptr<Network> network_of_encoder(std::unique_ptr<Encoder> encoder,
                                            std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace consort
