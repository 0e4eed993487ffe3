// What the fuzz targets share. A target is a function that feeds one input to the parsers of one
// format; libfuzzer.cc makes a libFuzzer program of it, and seeds_test.cc runs it on its seeds in
// the ordinary build.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace trivium::fuzz {

using Target = void (*)(std::string_view input);

void fuzz_bpe(std::string_view input);
void fuzz_config(std::string_view input);
void fuzz_jsonl(std::string_view input);
void fuzz_manifest(std::string_view input);
void fuzz_prompts(std::string_view input);
void fuzz_requests(std::string_view input);
void fuzz_routes(std::string_view input);
void fuzz_safetensors(std::string_view input);
void fuzz_sentencepiece(std::string_view input);
void fuzz_settings(std::string_view input);
void fuzz_table(std::string_view input);
void fuzz_task_finder(std::string_view input);
void fuzz_tasks(std::string_view input);
void fuzz_tensor_files(std::string_view input);
void fuzz_tokenizer_json(std::string_view input);
void fuzz_wordpiece(std::string_view input);

// Runs `parse`, which may return or throw a trivium::Error. Whatever else it throws passes through;
// so does a std::logic_error where it held more than 64 bytes of memory for each of `input`'s and
// 32 MiB besides.
void may_refuse(std::string_view input, const std::function<void()>& parse);

// The texts of several files in one input, between lines of kBetween. There are always `count`;
// what is missing is "".
inline constexpr std::string_view kBetween = "\n%%%%\n";
std::vector<std::string_view> parts_of(std::string_view input, size_t count);

// A folder in memory, where there is one, that lives as long as the program.
const std::filesystem::path& folder();
// Writes a file into it, or, where `bytes` is empty, sees that there is none.
std::filesystem::path put_file(const std::string& name, std::string_view bytes);

}  // namespace trivium::fuzz
