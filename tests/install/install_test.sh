#!/usr/bin/env bash
# install_test.sh CMAKE BUILD SOURCE MAKE_TINY_CHECKPOINT: see CMakeLists.txt.
set -euo pipefail
cmake=$1 build=$2 source=$3 make_tiny_checkpoint=$4
here=$(dirname -- "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset TRIVIUM_HOME TRIVIUM_TRAIN

fail() { printf 'install_test: %s\n' "$*" >&2; exit 1; }
# expect TEXT COMMAND...: the command succeeds and its output has the text in it.
expect() {
  local text=$1 output
  shift
  output=$("$@") || fail "$* ended with $?: $output"
  [[ $output == *"$text"* ]] || fail "$* does not say \"$text\": $output"
}

for component in trivium dev; do
  "$cmake" --install "$build" --prefix "$folder/first" --component "$component" >"$folder/log"
done
mv "$folder/first" "$folder/prefix"  # what was installed does not depend on its place
prefix=$folder/prefix
share=$prefix/share

for file in bin/trivium include/trivium/trivium.h include/trivium/trivium_c.h share/trivium/prompts/sst2.toml \
  share/trivium/checkpoints/trivium-small/config.json share/man/man1/trivium.1 \
  share/bash-completion/completions/trivium share/zsh/vendor-completions/_trivium \
  share/fish/vendor_completions.d/trivium.fish; do
  [[ -e $prefix/$file ]] || fail "$file was not installed"
done
bash -n "$share/bash-completion/completions/trivium"
zsh -n "$share/zsh/vendor-completions/_trivium"
fish -n "$share/fish/vendor_completions.d/trivium.fish"

# Paths of the source tree and the build folder appear in nothing that was installed.
if grep -rlF -e "$source/" -e "$build" "$prefix"; then fail "these files name the source tree"; fi

# The library shows its headers' names and no other's.
library=$(find "$prefix" -name 'libtrivium.so')
[[ -n $library ]] || fail "libtrivium.so was not installed"
if nm -D --defined-only --demangle "$library" | grep -v -e 'trivium::Generator' -e ' T trivium_[a-z_]*$'; then
  fail "libtrivium.so shows more than trivium.h and trivium_c.h declare"
fi

# A program outside the tree.
"$cmake" -S "$here/example" -B "$folder/example" -DCMAKE_PREFIX_PATH="$prefix" >"$folder/log" ||
  { cat "$folder/log"; fail "find_package(trivium) failed"; }
"$cmake" --build "$folder/example" >"$folder/log" || { cat "$folder/log"; fail "the example"; }
"$make_tiny_checkpoint" "$folder/tiny"
expect 'a gorgeous, witty film: ' "$folder/example/answer" "$folder/tiny"
expect 'layers: 2 and 2' "$folder/example/answer" "$folder/tiny"
expect 'a gorgeous, witty film: ' "$folder/example/answer_c" "$folder/tiny" sst2
expect 'code 66: ' "$folder/example/answer_c" "$folder/tiny" 'no such task'
expect 'code 66: ' "$folder/example/answer" "$folder/tiny"
expect "code 66: " "$folder/example/answer" "$folder/nothing"
if [[ -e $share/trivium/checkpoints/trivium-small/routes.json ]]; then
  expect 'the likelier label: positive' "$folder/example/answer"
fi

# The installed program, and where it finds its files.
cd /
expect 'trivium ' "$prefix/bin/trivium" --version
expect '"task":"sst2"' "$prefix/bin/trivium" generate --checkpoint "$folder/tiny" \
  < <(echo '{"task":"sst2","input":"a dull film"}')
