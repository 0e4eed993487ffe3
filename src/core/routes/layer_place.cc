#include "core/routes/layer_place.h"

namespace trivium {

std::string name_of(const LayerPlace& place) {
  return (place.in_decoder ? "decoder " : "encoder ") + std::to_string(place.layer + 1);
}

std::vector<float>& weights_at(TaskRoute& route, const LayerPlace& place) {
  return (place.in_decoder ? route.decoder : route.encoder).at(place.layer);
}

const std::vector<float>& weights_at(const TaskRoute& route, const LayerPlace& place) {
  return (place.in_decoder ? route.decoder : route.encoder).at(place.layer);
}

bool takes_own(const TaskRoute& route, const LayerPlace& place) {
  if (route.own == nullptr) return false;
  const std::vector<bool>& layers = place.in_decoder ? route.own->decoder : route.own->encoder;
  const std::vector<float>& weights = weights_at(route, place);
  return place.layer < layers.size() && layers[place.layer] &&
         TaskRoute::main_expert(weights) + 1 == std::ssize(weights);
}

std::vector<LayerPlace> places_of(const TaskRoute& route) {
  std::vector<LayerPlace> places;
  for (size_t l = 0; l < route.encoder.size(); ++l) places.push_back({false, l});
  for (size_t l = 0; l < route.decoder.size(); ++l) places.push_back({true, l});
  return places;
}

}  // namespace trivium
