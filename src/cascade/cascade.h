/* cascade.h -- the floor above the engines: it sees them as tables of operations, and neither weights nor sockets. */
#ifndef SLM_CASCADE_CASCADE_H
#define SLM_CASCADE_CASCADE_H

#include "core/status.h"
#include "engine/engine.h"

#endif
