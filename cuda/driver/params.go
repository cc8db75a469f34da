//go:build cuda

package driver

import (
	"fmt"
	"reflect"
	"unsafe"
)

// PackParams returns a copy of the bytes of a struct that is the parameter of a kernel. Go and C
// lay out numbers alike. So C reads the same struct if it consists of numbers, arrays and structs
// of them, without padding that C might place elsewhere. A declaration must name its padding.
func PackParams(v any) ([]byte, error) {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("parameters are a struct, not %v", t)
	}
	if err := plain(t, t.String()); err != nil {
		return nil, err
	}
	p := reflect.New(t)
	p.Elem().Set(reflect.ValueOf(v))
	b := make([]byte, t.Size())
	copy(b, unsafe.Slice((*byte)(p.UnsafePointer()), t.Size()))
	return b, nil
}

// plain returns an error unless a type can be part of parameters.
func plain(t reflect.Type, name string) error {
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return nil
	case reflect.Array:
		return plain(t.Elem(), name+"[]")
	case reflect.Struct:
		end := uintptr(0)
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Offset != end {
				return fmt.Errorf("%d bytes of padding before %s.%s: name them", f.Offset-end, name, f.Name)
			}
			if err := plain(f.Type, name+"."+f.Name); err != nil {
				return err
			}
			end += f.Type.Size()
		}
		if end != t.Size() {
			return fmt.Errorf("%d bytes of padding at the end of %s: name them", t.Size()-end, name)
		}
		return nil
	}
	return fmt.Errorf("%s is %s: parameters are numbers of a fixed size", name, t)
}
