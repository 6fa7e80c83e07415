# script: what a newcomer types
EXTRA_DIST += script/bench script/run script/setup script/test
