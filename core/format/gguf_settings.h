// SPDX-License-Identifier: Apache-2.0
// Private to the GGUF files of core: the settings that an architecture has beside its sizes, read from a file into the
// keys of a config.json, and written from a config into metadata. See GgufArchitecture for the contract.
#pragma once

#include "core/format/gguf_architectures.h"

namespace wb::core {

void readLlamaSettings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readQwenSettings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readGemmaSettings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readGemma2Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readGemma3Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readGraniteSettings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readOlmo2Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readPhi2Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readPhi3Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readStarcoder2Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readGpt2Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readGptNeoXSettings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readFalconSettings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);
void readT5Settings(const GgufFile& file, const std::string& prefix, nlohmann::ordered_json& json);

void writeLlamaSettings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                        GgufMetadata& metadata);
void writeQwenSettings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                       GgufMetadata& metadata);
void writeGemmaSettings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                        GgufMetadata& metadata);
void writeGemma2Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                         GgufMetadata& metadata);
void writeGemma3Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                         GgufMetadata& metadata);
void writeGpt2Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                       GgufMetadata& metadata);
void writeT5Settings(const ModelConfig& config, const nlohmann::json& json, const std::string& prefix,
                     GgufMetadata& metadata);

// A number as it was meant: files hold floats, and 1e-5 must not become 9.999999747378752e-06.
double shortestNumber(double number);

// The same number under every layer, whether the file holds one or a list. Throws CorruptFile if absent, Unsupported if
// layers differ.
int64_t uniformInteger(const GgufFile& file, const std::string& key);

}  // namespace wb::core
